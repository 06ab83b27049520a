#include "brigade/Protocol/Multipart.h"

#include <algorithm>

#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/detail/HttpParameters.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

using Kind = Multipart::Event::Kind;

constexpr std::string_view kBlankLine = "\r\n\r\n";

// RFC 2046, 5.1.1: bchars.
constexpr detail::ByteSet kBoundaryBytes = detail::byteSet("'()+_,-./:=? ");

bool isBoundary(std::string_view text) {
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return detail::contains(kBoundaryBytes, c);
         });
}

}  // namespace

Multipart::Multipart(std::string_view boundary, const Limits& limits)
    : limits_(limits),
      // The first boundary may stand at the very start: as if CRLF came before.
      matched_(2),
      assumed_(2) {
  delimiter_.append("\r\n--").append(boundary);
}

std::optional<std::string> Multipart::boundaryOf(std::string_view contentType) {
  const auto media = parseMediaType(contentType);
  if (!media || media->type != "multipart/form-data") return std::nullopt;
  const auto boundary = media->parameter("boundary");
  if (!boundary || !isBoundary(*boundary)) return std::nullopt;
  return std::string(*boundary);
}

Multipart::Event Multipart::next(std::string_view& piece) {
  for (;;) {
    if (state_ == State::kRefused) return {Kind::kRefused, {}, reason_};
    if (state_ == State::kEpilogue) piece = {};
    // Said as soon as it is known, also when the piece ends here.
    const bool delimited = matched_ == delimiter_.size();
    if (piece.empty() && !delimited) return {Kind::kMore};
    Event event{Kind::kMore};
    switch (state_) {
      case State::kPreamble:
      case State::kData:
        event = delimited ? endOfBody() : body(piece);
        break;
      case State::kHead:
        event = head(piece);
        break;
      default:
        event = boundary(piece);
    }
    if (event.kind != Kind::kMore) return event;
  }
}

Multipart::Event Multipart::refuse(const char* reason) {
  reason_ = reason;
  state_ = State::kRefused;
  return {Kind::kRefused, {}, reason};
}

// What comes before the first part is dropped.
Multipart::Event Multipart::emit(std::string_view data) {
  if (data.empty() || state_ == State::kPreamble) return {Kind::kMore};
  return {Kind::kData, data};
}

Multipart::Event Multipart::endOfBody() {
  const bool inPart = state_ == State::kData;
  matched_ = assumed_ = 0;
  padding_ = 0;
  state_ = State::kBoundary;
  return {inPart ? Kind::kPartEnd : Kind::kMore};
}

Multipart::Event Multipart::body(std::string_view& piece) {
  if (matched_ > 0) return resumeDelimiter(piece);
  std::size_t at = piece.find('\r');
  while (at != std::string_view::npos) {
    const std::string_view rest = piece.substr(at, delimiter_.size());
    if (rest == std::string_view(delimiter_).substr(0, rest.size())) {
      const std::string_view data = piece.substr(0, at);
      piece.remove_prefix(at + rest.size());
      matched_ = rest.size();
      return emit(data);
    }
    at = piece.find('\r', at + 1);
  }
  const std::string_view data = piece;
  piece = {};
  return emit(data);
}

Multipart::Event Multipart::resumeDelimiter(std::string_view& piece) {
  while (matched_ < delimiter_.size() && !piece.empty() &&
         piece.front() == delimiter_[matched_]) {
    ++matched_;
    piece.remove_prefix(1);
  }
  if (matched_ == delimiter_.size() || piece.empty()) return {Kind::kMore};
  const std::string_view data =
      std::string_view(delimiter_).substr(assumed_, matched_ - assumed_);
  matched_ = assumed_ = 0;
  return emit(data);
}

// RFC 2046, 5.1.1: "--" ends all, white space may follow either.
Multipart::Event Multipart::boundary(std::string_view& piece) {
  const char c = piece.front();
  piece.remove_prefix(1);
  if (state_ == State::kLineFeed) {
    if (c != '\n') return refuse("a bare CR behind a boundary");
    if (parts_ == limits_.parts) return refuse("more parts than the limit");
    ++parts_;
    head_.clear();
    state_ = State::kHead;
    return {Kind::kMore};
  }
  if (state_ == State::kDash) {
    if (c != '-') return refuse("a boundary that goes on");
    state_ = State::kEpilogue;
    return {Kind::kEnd};
  }
  if (c == '\r') {
    state_ = State::kLineFeed;
  } else if (detail::isBlank(c)) {
    state_ = State::kPadding;
    if (++padding_ > limits_.headBytes) {
      return refuse("a boundary over the limit");
    }
  } else if (c == '-' && state_ == State::kBoundary) {
    state_ = State::kDash;
  } else {
    return refuse("a boundary that goes on");
  }
  return {Kind::kMore};
}

Multipart::Event Multipart::head(std::string_view& piece) {
  const std::size_t line = piece.find('\n');
  const std::string_view taken =
      piece.substr(0, line == std::string_view::npos ? line : line + 1);
  if (taken.size() > limits_.headBytes - head_.size()) {
    return refuse("the head of a part over the limit");
  }
  head_ += taken;
  piece.remove_prefix(taken.size());
  if (line == std::string_view::npos) return {Kind::kMore};
  if (head_.size() < 2 || head_[head_.size() - 2] != '\r') {
    return refuse("a bare LF in the head of a part");
  }
  if (head_ != "\r\n" && !head_.ends_with(kBlankLine)) return {Kind::kMore};
  return begin();
}

Multipart::Event Multipart::begin() {
  part_.name.clear();
  part_.filename.reset();
  part_.contentType = "text/plain";
  hasDisposition_ = hasType_ = false;
  if (const char* reason = readHead()) return refuse(reason);
  if (!hasDisposition_) return refuse("a part without Content-Disposition");
  state_ = State::kData;
  // A part may end at once: its delimiter begins with the empty line's CRLF.
  matched_ = assumed_ = 2;
  return {Kind::kPart};
}

const char* Multipart::readHead() {
  std::string_view rest = head_;
  while (rest != "\r\n") {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    line.remove_suffix(1);  // CR
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos ||
        !detail::isToken(line.substr(0, colon))) {
      return "a malformed field in the head of a part";
    }
    const std::string_view value = detail::trimmed(line.substr(colon + 1));
    if (std::any_of(value.begin(), value.end(), detail::isControl)) {
      return "a control character in the head of a part";
    }
    if (const char* reason = readField(line.substr(0, colon), value)) {
      return reason;
    }
  }
  return nullptr;
}

const char* Multipart::readField(std::string_view name,
                                 std::string_view value) {
  if (detail::sameName(name, "Content-Disposition")) {
    if (hasDisposition_) return "more than one Content-Disposition";
    hasDisposition_ = true;
    return readDisposition(value);
  }
  if (detail::sameName(name, "Content-Type")) {
    if (hasType_) return "more than one Content-Type";
    hasType_ = true;
    part_.contentType = value;
  }
  return nullptr;
}

const char* Multipart::readDisposition(std::string_view value) {
  const std::size_t end = std::min(value.find(';'), value.size());
  if (!detail::sameName(detail::trimmed(value.substr(0, end)), "form-data")) {
    return "a part that is no form-data (RFC 7578, 4.2)";
  }
  detail::HttpParameters parameters(value.substr(end), detail::Quoting::kForms);
  bool hasName = false;
  while (parameters.next()) {
    if (detail::sameName(parameters.name(), "name")) {
      if (hasName) return "a part with two names";
      hasName = true;
      part_.name = parameters.value();
    } else if (detail::sameName(parameters.name(), "filename")) {
      if (part_.filename) return "a part with two file names";
      part_.filename = parameters.value();
    }
  }
  if (parameters.malformed()) return "a malformed Content-Disposition";
  return hasName ? nullptr : "a part without a name (RFC 7578, 4.2)";
}

}  // namespace brigade
