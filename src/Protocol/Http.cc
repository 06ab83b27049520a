#include "brigade/Protocol/Http.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "brigade/Protocol/HttpDate.h"
#include "brigade/Protocol/SavedState.h"
#include "brigade/Protocol/detail/HttpStatus.h"

namespace brigade {
namespace {

using detail::HttpParser;

constexpr std::string_view kCrlf = "\r\n";

// Old clients send one or two behind a body; without an end they would be a
// connection that never asks for anything.
constexpr unsigned kEmptyLines = 8;

// Writes a head into room that is there.
class HeadWriter {
 public:
  // What all the lines that the codec writes itself take at most.
  static constexpr std::size_t kOwnLines = 256;

  explicit HeadWriter(char* to) : at_(to) {}

  void putStatus(unsigned status) {
    // As nearly always: as a constant it is copied without a call.
    if (status == 200) {
      put("HTTP/1.1 200 OK\r\n");
      return;
    }
    const std::string_view line = detail::statusLine(status);
    if (!line.empty()) {
      put(line);
      return;
    }
    put("HTTP/1.1 ");
    putNumber(status, 10);
    put(" \r\n");
  }

  void put(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  void putNumber(std::uint64_t number, int base) {
    constexpr std::size_t kDigits = 20;
    at_ = std::to_chars(at_, at_ + kDigits, number, base).ptr;
  }

  void putDate(std::string_view date) {
    if (date.size() != kHttpDateSize) return;
    put("Date: ");
    // As a constant size it is copied without a call.
    put(date.substr(0, kHttpDateSize));
    put(kCrlf);
  }

  void putLength(std::uint64_t length) {
    put("Content-Length: ");
    putNumber(length, 10);
    put(kCrlf);
  }

  // Where the next byte goes.
  char* end() const { return at_; }

 private:
  char* at_;
};

void putFraming(const HttpReply& reply, std::uint64_t size, HeadWriter& lines) {
  using Framing = HttpReply::Framing;
  switch (reply.framing) {
    case Framing::kWhole:
      lines.putLength(size);
      break;
    case Framing::kLength:
      lines.putLength(reply.length);
      break;
    case Framing::kChunked:
      if (reply.minorVersion > 0) lines.put("Transfer-Encoding: chunked\r\n");
      break;
    case Framing::kUntilClose:
      break;
  }
}

void encodeReply(const HttpReply& reply, std::string_view data, Output& out) {
  const HttpResponse& response = reply.response;
  const bool mayHaveBody = HttpReply::mayHaveBody(response.status());
  const std::string_view fields = response.fields();
  const bool sendsData = mayHaveBody && !reply.headOnly &&
                         reply.framing != HttpReply::Framing::kChunked;
  const std::string_view body = sendsData ? data : std::string_view();
  const bool copies = body.size() < Output::kBorrowInput;
  const std::size_t room =
      HeadWriter::kOwnLines + fields.size() + (copies ? body.size() : 0);
  char* const begin = out.room(room);
  HeadWriter lines(begin);
  lines.putStatus(response.status());
  if (!response.hasDate()) lines.putDate(reply.date);
  if (mayHaveBody) putFraming(reply, data.size(), lines);
  if (!reply.staysOpen()) {
    lines.put("Connection: close\r\n");
  } else if (reply.minorVersion == 0) {
    lines.put("Connection: keep-alive\r\n");
  }
  lines.put(fields);
  lines.put(kCrlf);
  if (copies) lines.put(body);
  assert(lines.end() <= begin + room);
  out.commit(static_cast<std::size_t>(lines.end() - begin));
  if (!copies) out.append(body);
}

void encodePiece(HttpPiece piece, std::string_view data, Output& out) {
  switch (piece) {
    case HttpPiece::kChunk: {
      if (data.empty()) return;
      std::array<char, 16 + kCrlf.size()> size;
      char* end =
          std::to_chars(size.data(), size.data() + 16, data.size(), 16).ptr;
      end = std::copy(kCrlf.begin(), kCrlf.end(), end);
      out.append({size.data(), static_cast<std::size_t>(end - size.data())});
      out.append(data);
      out.append(kCrlf);
      break;
    }
    case HttpPiece::kLastChunk:
      out.append("0\r\n\r\n");
      break;
    case HttpPiece::kContinue:
      out.append("HTTP/1.1 100 Continue\r\n\r\n");
      break;
  }
}

}  // namespace

Http::Http(HttpShared& shared) : shared_(shared) {}

Packet Http::input(std::string_view bytes) {
  // What follows a head apart: a head is read without another call then.
  return phase_ == Phase::kHead ? head(bytes) : afterHead(bytes);
}

Packet Http::afterHead(std::string_view bytes) {
  switch (phase_) {
    case Phase::kHead:
      break;
    case Phase::kLength:
      return fixedBody(bytes.size());
    case Phase::kChunked:
      return chunkedBody(bytes);
    case Phase::kIgnore:
      return Packet::silent(bytes.size());
    case Phase::kRefused:
      break;
  }
  return Packet::malformed(refusal_.reason);
}

Packet Http::head(std::string_view bytes) {
  // RFC 9112, 2.2: at least one empty line before a request is ignored.
  if (bytes[0] == '\r' && emptyLines_ < kEmptyLines) {
    if (bytes.size() == 1) return Packet::more();
    if (bytes[1] == '\n') {
      ++emptyLines_;
      return Packet::silent(kCrlf.size());
    }
  }
  HttpShared& shared = shared_;
  const HttpParser::Result result =
      HttpParser::parse(bytes, resume_, shared.limits_, shared.request_);
  switch (result.kind) {
    case HttpParser::Result::Kind::kWhole:
      return begin(shared.request_, bytes, result.length);
    case HttpParser::Result::Kind::kMore:
      begun_ = true;
      return Packet::more();
    case HttpParser::Result::Kind::kRefused:
      break;
  }
  return refused(result.refusal);
}

Packet Http::begin(const HttpRequest& request, std::string_view bytes,
                   std::size_t headLength) {
  HttpShared& shared = shared_;
  shared.codec_ = this;
  shared.packet_ = bytes.data();
  shared.headLength_ = headLength;
  next_ = request.keepAlive() ? Phase::kHead : Phase::kIgnore;
  if (!request.contentLength()) {
    chunks_ = {};
    phase_ = Phase::kChunked;
    return whole(HttpPart::Kind::kHead, headLength);
  }
  const std::uint64_t length = *request.contentLength();
  if (length == 0) {
    endRequest();
    return whole(HttpPart::Kind::kRequest, headLength);
  }
  const std::size_t limit =
      std::min(bytes.size(), shared.limits_.wholeRequestBytes);
  if (limit > headLength && length <= limit - headLength) {
    endRequest();
    return whole(HttpPart::Kind::kRequest,
                 headLength + static_cast<std::size_t>(length));
  }
  bodyLeft_ = length;
  phase_ = Phase::kLength;
  return whole(HttpPart::Kind::kHead, headLength);
}

Packet Http::fixedBody(std::size_t present) {
  if (present < bodyLeft_) {
    bodyLeft_ -= present;
    return whole(HttpPart::Kind::kBody, present);
  }
  const auto length = static_cast<std::size_t>(bodyLeft_);
  endRequest();
  return whole(HttpPart::Kind::kEnd, length);
}

Packet Http::chunkedBody(std::string_view bytes) {
  if (chunks_.data() > 0) {
    const std::uint64_t length =
        std::min<std::uint64_t>(chunks_.data(), bytes.size());
    chunks_.take(length);
    return whole(HttpPart::Kind::kBody, static_cast<std::size_t>(length));
  }
  const auto framing = chunks_.read(bytes, shared_.limits_);
  switch (framing.kind) {
    case detail::ChunkedDecoder::Framing::Kind::kMore:
    case detail::ChunkedDecoder::Framing::Kind::kData:
      return Packet::silent(framing.length);
    case detail::ChunkedDecoder::Framing::Kind::kEnd:
      endRequest();
      return whole(HttpPart::Kind::kEnd, framing.length);
    case detail::ChunkedDecoder::Framing::Kind::kRefused:
      break;
  }
  return refused(framing.refusal);
}

Packet Http::whole(HttpPart::Kind kind, std::size_t length) {
  kind_ = kind;
  return Packet::whole(length);
}

Packet Http::refused(const detail::HttpRefusal& refusal) {
  refusal_ = refusal;
  phase_ = Phase::kRefused;
  return Packet::malformed(refusal.reason);
}

void Http::endRequest() {
  phase_ = next_;
  begun_ = false;
  emptyLines_ = 0;
}

Message Http::decode(std::span<char> packet) {
  HttpPart& part = shared_.part_;
  part = {kind_, nullptr};
  switch (kind_) {
    case HttpPart::Kind::kRequest:
    case HttpPart::Kind::kHead:
      return decodeHead(packet);
    case HttpPart::Kind::kBody:
      return Message::of(part, {packet.data(), packet.size()});
    case HttpPart::Kind::kEnd:
      break;
  }
  // A chunked body ends with a packet that is all framing.
  const bool framing = chunks_.ended();
  chunks_ = {};
  return Message::of(part,
                     framing ? std::string_view()
                             : std::string_view(packet.data(), packet.size()));
}

Message Http::decodeHead(std::span<char> packet) {
  HttpShared& shared = shared_;
  if (shared.codec_ != this || shared.packet_ != packet.data()) {
    return readAndDecode(packet);
  }
  const std::string_view bytes(packet.data(), packet.size());
  shared.codec_ = nullptr;
  shared.request_.head_ = bytes.substr(0, shared.headLength_);
  shared.request_.body_ = bytes.substr(shared.headLength_);
  shared.part_.request = &shared.request_;
  return Message::of(shared.part_, shared.request_.body_);
}

// A head somewhere else than input() saw it, or another codec came between.
Message Http::readAndDecode(std::span<char> packet) {
  HttpShared& shared = shared_;
  HttpParser::Resume start;
  shared.headLength_ = HttpParser::parse({packet.data(), packet.size()}, start,
                                         shared.limits_, shared.request_)
                           .length;
  shared.codec_ = this;
  shared.packet_ = packet.data();
  return decodeHead(packet);
}

void Http::encode(const Message& message, Output& out) {
  if (message.is<HttpReply>()) {
    encodeReply(message.as<HttpReply>(), message.data(), out);
  } else if (message.is<HttpPiece>()) {
    encodePiece(message.as<HttpPiece>(), message.data(), out);
  } else {
    encodeOther(message, out);
  }
}

void Http::encodeOther(const Message& message, Output& out) {
  out.append(message.data());
}

// How far a head has been read is found again from its bytes.
std::optional<std::string> Http::save() const {
  if (phase_ != Phase::kHead) return std::nullopt;
  StateWriter state;
  state.put(static_cast<std::uint8_t>(emptyLines_));
  return state.take();
}

void Http::restore(std::string_view saved) {
  const auto lines = StateReader(saved).get<std::uint8_t>();
  emptyLines_ = lines & 0xFU;
}

unsigned Http::statusOf(Refusal refusal) const {
  const bool inHead = phase_ == Phase::kHead;
  switch (refusal) {
    case Refusal::kMalformed:
      return refusal_ ? refusal_.status : 400;
    case Refusal::kTooLong:
      if (!inHead) return 413;
      return resume_.state <= HttpParser::State::kVersion ? 414 : 431;
    case Refusal::kTimeout:
      return phase_ == Phase::kIgnore || (inHead && !begun_) ? 0 : 408;
  }
  return 0;
}

void Http::refuse(Refusal refusal, Output& out) {
  const unsigned status = statusOf(refusal);
  if (status == 0) return;
  std::string body = std::to_string(status);
  body.append(" ").append(httpReason(status));
  if (refusal == Refusal::kMalformed && refusal_) {
    body.append(": ").append(refusal_.reason);
  }
  body += '\n';
  const HttpResponse response = HttpResponse::text({}, status);
  const HttpReply reply{
      .response = response, .keepAlive = false, .date = shared_.date};
  encode(Message::of(reply, body), out);
}

}  // namespace brigade
