#include "brigade/Protocol/detail/ChunkedDecoder.h"

#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade::detail {
namespace {

// Hexadecimal digits of the longest size that is taken: 2^63-1.
constexpr std::uint32_t kMaxDigits = 16;
constexpr std::uint64_t kMaxSize = 0x7FFFFFFFFFFFFFFF;

constexpr std::string_view kLength = "content-length";
constexpr std::string_view kCoding = "transfer-encoding";

constexpr const char* kBareLf = "a bare LF in a chunked body (RFC 9112, 7.1)";
constexpr const char* kBareCr = "a bare CR in a chunked body (RFC 9112, 7.1)";

}  // namespace

void ChunkedDecoder::take(std::uint64_t bytes) {
  left_ -= bytes;
  if (left_ == 0) state_ = State::kDataCr;
}

ChunkedDecoder::Framing ChunkedDecoder::read(std::string_view bytes,
                                             const HttpLimits& limits) {
  using Kind = Framing::Kind;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (const HttpRefusal refusal = step(bytes[at], limits)) {
      return {Kind::kRefused, at, refusal};
    }
    ++at;
    if (state_ == State::kEnd) return {Kind::kEnd, at, {}};
    if (state_ == State::kData) return {Kind::kData, at, {}};
  }
  return {Kind::kMore, at, {}};
}

HttpRefusal ChunkedDecoder::step(char c, const HttpLimits& limits) {
  switch (state_) {
    case State::kSize:
      return size(c);
    case State::kName:
    case State::kValue:
    case State::kQuoted:
    case State::kEscaped:
    case State::kUnquoted:
      return extension(c, limits);
    case State::kSizeLf:
      count_ = 0;
      return lineFeed(c, left_ == 0 ? State::kLine : State::kData);
    case State::kDataCr:
      if (c != '\r') return {400, "no CRLF after a chunk (RFC 9112, 7.1)"};
      state_ = State::kDataLf;
      return {};
    case State::kDataLf:
      return lineFeed(c, State::kSize);
    case State::kLine:
    case State::kFieldName:
    case State::kFieldValue:
    case State::kFieldLf:
      return trailer(c, limits);
    case State::kEndLf:
      return lineFeed(c, State::kEnd);
    case State::kData:
    case State::kEnd:
      break;
  }
  return {};
}

HttpRefusal ChunkedDecoder::lineFeed(char c, State next) {
  if (c != '\n') return {400, kBareCr};
  state_ = next;
  return {};
}

HttpRefusal ChunkedDecoder::size(char c) {
  const int digit = hexValue(c);
  if (digit >= 0) {
    left_ = left_ << 4 | static_cast<unsigned>(digit);
    if (++count_ > kMaxDigits || left_ > kMaxSize) {
      return {400, "a chunk size over 2^63-1 (RFC 9112, 7.1)"};
    }
    return {};
  }
  if (c == '\n') return {400, kBareLf};
  if (isFresh()) return {400, "a chunk without a size (RFC 9112, 7.1)"};
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';') {
    state_ = State::kName;
    count_ = 0;
    begun_ = false;
  } else {
    return {400, "a chunk size that is no number (RFC 9112, 7.1)"};
  }
  return {};
}

// chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] )
HttpRefusal ChunkedDecoder::extension(char c, const HttpLimits& limits) {
  if (++count_ > limits.chunkExtensionBytes ||
      ++extensions_ > limits.bodyExtensionBytes) {
    return {400, "chunk extensions over the limit (RFC 9112, 7.1.1)"};
  }
  if (c == '\n') return {400, kBareLf};
  if (state_ == State::kQuoted || state_ == State::kEscaped) {
    if (isControl(c)) {
      return {400, "a control character in an extension (RFC 9112, 7.1.1)"};
    }
    if (state_ == State::kEscaped) {
      state_ = State::kQuoted;
    } else if (c == '"') {
      state_ = State::kUnquoted;
    } else if (c == '\\') {
      state_ = State::kEscaped;
    }
    return {};
  }
  if (state_ != State::kUnquoted) {
    if (contains(kTokenBytes, c)) {
      begun_ = true;
      return {};
    }
    if (c == '"' && state_ == State::kValue && !begun_) {
      state_ = State::kQuoted;
      return {};
    }
    if (!begun_) {
      return {400, "a malformed chunk extension (RFC 9112, 7.1.1)"};
    }
  }
  begun_ = false;
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';') {
    state_ = State::kName;
  } else if (c == '=' && state_ == State::kName) {
    state_ = State::kValue;
  } else {
    return {400, "a malformed chunk extension (RFC 9112, 7.1.1)"};
  }
  return {};
}

HttpRefusal ChunkedDecoder::trailer(char c, const HttpLimits& limits) {
  if (++count_ > limits.trailerBytes) {
    return {431, "a trailer section over the limit (RFC 9112, 7.1.2)"};
  }
  if (c == '\n' && state_ != State::kFieldLf) return {400, kBareLf};
  switch (state_) {
    case State::kLine:
      if (c == '\r') {
        state_ = State::kEndLf;
        return {};
      }
      begun_ = false;
      nameSize_ = 0;
      mayBeLength_ = mayBeCoding_ = true;
      state_ = State::kFieldName;
      return fieldName(c);
    case State::kFieldName:
      return fieldName(c);
    case State::kFieldValue:
      return fieldValue(c);
    default:
      return lineFeed(c, State::kLine);
  }
}

HttpRefusal ChunkedDecoder::fieldName(char c) {
  if (contains(kTokenBytes, c)) {
    begun_ = true;
    compareName(lower(c));
    return {};
  }
  if (c != ':' || !begun_) {
    return {400, "a malformed trailer field (RFC 9112, 7.1.2)"};
  }
  if ((mayBeLength_ && nameSize_ == kLength.size()) ||
      (mayBeCoding_ && nameSize_ == kCoding.size())) {
    return {400, "a trailer that frames the message (RFC 9110, 6.5.1)"};
  }
  state_ = State::kFieldValue;
  return {};
}

void ChunkedDecoder::compareName(char c) {
  mayBeLength_ =
      mayBeLength_ && nameSize_ < kLength.size() && kLength[nameSize_] == c;
  mayBeCoding_ =
      mayBeCoding_ && nameSize_ < kCoding.size() && kCoding[nameSize_] == c;
  if (mayBeLength_ || mayBeCoding_) ++nameSize_;
}

HttpRefusal ChunkedDecoder::fieldValue(char c) {
  if (c == '\r') {
    state_ = State::kFieldLf;
    return {};
  }
  if (isControl(c)) {
    return {400, "a control character in a trailer (RFC 9112, 7.1.2)"};
  }
  return {};
}

}  // namespace brigade::detail
