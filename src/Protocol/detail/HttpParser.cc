#include "brigade/Protocol/detail/HttpParser.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "brigade/Protocol/detail/HttpScan.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade::detail {
namespace {

// RFC 9112, 3: longer than any that is known is 501. The longest that is
// registered (RFC 9110, 16.1) has 17 bytes.
constexpr std::ptrdiff_t kMaxMethod = 32;

constexpr std::string_view kVersion = "HTTP/1.1\r\n";

// The methods of RFC 9110, 9.3 and RFC 5789 that act on a resource.
bool isWithoutAsterisk(std::string_view method) {
  constexpr std::array<std::string_view, 7> kMethods = {
      "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

bool isCrLf(const char* at) { return std::memcmp(at, "\r\n", 2) == 0; }

// Without the white space around it. [value, end) lies between two other bytes.
inline std::string_view trimmedValue(const char* value, const char* end) {
  if (*value == ' ') ++value;
  const std::string_view text(value, static_cast<std::size_t>(end - value));
  // As nearly always: one comparison says it, of a CR too.
  if (*value > ' ' && static_cast<unsigned char>(end[-1]) > ' ') return text;
  return trimmed(text);
}

constexpr const char* kBareLf = "a bare LF (RFC 9112, 2.2)";
constexpr const char* kBareCr = "a bare CR (RFC 9112, 2.2)";

}  // namespace

// Each step returns false or null when the head is refused, or over with the
// bytes.
class HttpParser::Reader {
 public:
  Reader(std::string_view bytes, const Resume& resume, const HttpLimits& limits,
         HttpRequest& request)
      : begin_(bytes.data()),
        at_(begin_ + resume.position),
        end_(begin_ + std::min(bytes.size(), limits.headBytes)),
        limits_(limits),
        request_(request),
        target_(begin_ + resume.token),
        fields_(resume.fields),
        state_(resume.state) {
    if (request.headers_.size() < limits.fields) {
      request.headers_.resize(limits.fields);
    }
    table_ = request.headers_.data();
  }

  // A head from its start: the table and the target are complete then.
  bool read();
  // From where `resume` says.
  [[gnu::cold]] bool goOn();
  // Why that was false.
  Result failure() const {
    if (refusal_) return {Result::Kind::kRefused, 0, refusal_};
    return {Result::Kind::kMore, 0, {}};
  }
  std::size_t length() const { return length(at_); }

  Resume resume() const {
    return {static_cast<std::uint32_t>(at_ - begin_),
            static_cast<std::uint32_t>(target_ - begin_),
            static_cast<std::uint16_t>(fields_), state_};
  }

  // Of a whole head, read from its start.
  HttpRefusal interpret();

 private:
  bool refuse(unsigned status, const char* reason) {
    refusal_ = {status, reason};
    return false;
  }

  // The bytes end at at_, in this state.
  bool more(State state) {
    state_ = state;
    if (length(end_) < limits_.headBytes) return false;
    return state <= State::kVersion
               ? refuse(414, "a request line over the limit (RFC 9112, 3)")
               : refuse(431, "a head over the limit (RFC 6585, 5)");
  }

  std::size_t length(const char* end) const {
    return static_cast<std::size_t>(end - begin_);
  }

  bool isLineEnd(const char* at) const { return end_ - at >= 2 && isCrLf(at); }

  // Each step begins where the one before ended, and says where it ends
  // itself; null: the head is refused or incomplete. What is passed on like
  // that stays in a register.
  const char* method(const char* at);
  const char* target(const char* at);
  const char* version(const char* at);
  bool badTarget(const char* end);
  bool badVersion(const char* at);
  bool fields(const char* at);
  bool oddLine(const char* name, const char*& nameEnd, const char*& valueEnd);
  bool endOfHead(const char* at);
  bool badStart(const char* at);
  const char* oddName(const char* begin, const char* at);
  bool value(const char*& at);
  bool badValue(const char* end);
  HttpRefusal readTarget();
  HttpRefusal readOtherTarget();
  HttpRefusal readAbsolute(std::size_t slashes);

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const HttpLimits& limits_;
  HttpRequest& request_;
  HttpHeader* table_;
  const char* target_;
  const char* query_ = nullptr;  // its '?'
  std::size_t fields_;
  HttpSeen seen_;
  HttpRefusal refusal_;
  State state_;
};

inline bool HttpParser::Reader::read() {
  const char* at = method(at_);
  if (at == nullptr) return false;
  at = target(at);
  if (at == nullptr) return false;
  at = version(at);
  return at != nullptr && fields(at);
}

bool HttpParser::Reader::goOn() {
  const char* at = at_;
  switch (state_) {
    case State::kMethod:
      at = method(at);
      if (at == nullptr) return false;
      [[fallthrough]];
    case State::kTarget:
      at = target(at);
      if (at == nullptr) return false;
      [[fallthrough]];
    case State::kVersion:
      at = version(at);
      if (at == nullptr) return false;
      break;
    case State::kLine:
      break;
    case State::kName:
      at = oddName(at, at);
      if (at == nullptr) return false;
      ++at;
      [[fallthrough]];
    case State::kValue:
      if (!value(at)) return false;
      ++fields_;
      break;
  }
  return fields(at);
}

inline const char* HttpParser::Reader::method(const char* at) {
  const char* end = at;
  if (end_ - end > 4 && std::memcmp(end, "GET ", 4) == 0) {
    request_.method_ = {at, 3};
    return target_ = at + 4;
  }
  while (end != end_ && contains(kTokenBytes, *end)) {
    if (++end - at > kMaxMethod) {
      refuse(501, "a method longer than any known (RFC 9112, 3)");
      return nullptr;
    }
  }
  if (end == end_) {
    more(State::kMethod);
    return nullptr;
  }
  if (end == at || *end != ' ') {
    refuse(400, *end == '\n' ? kBareLf : "no method (RFC 9112, 3.1)");
    return nullptr;
  }
  request_.method_ = {at, static_cast<std::size_t>(end - at)};
  return target_ = end + 1;
}

inline const char* HttpParser::Reader::target(const char* at) {
  for (;;) {
    at = findEnd<EndOfTargetPart>(begin_, at, end_);
    // From one to targetBytes of them, in one comparison.
    if (at != end_ && *at == ' ' &&
        static_cast<std::size_t>(at - target_) - 1 < limits_.targetBytes)
        [[likely]] {
      break;
    }
    if (at == end_ || *at != '?') {
      badTarget(at);
      return nullptr;
    }
    if (query_ == nullptr) query_ = at;
    ++at;
  }
  request_.target_ = {target_, static_cast<std::size_t>(at - target_)};
  return at + 1;
}

bool HttpParser::Reader::badTarget(const char* end) {
  at_ = end;
  if (static_cast<std::size_t>(end - target_) > limits_.targetBytes) {
    return refuse(414, "a target over the limit (RFC 9112, 3)");
  }
  if (end == end_) return more(State::kTarget);
  switch (*end) {
    case ' ':
      return refuse(400, "no request target (RFC 9112, 3.2)");
    case '#':
      return refuse(400, "a fragment in the target (RFC 9112, 3.2)");
    case '\n':
      return refuse(400, kBareLf);
    case '\r':
      return refuse(400, "no version (RFC 9112, 3)");
    default:
      return refuse(400, "a byte no target may hold (RFC 9112, 3.2)");
  }
}

inline const char* HttpParser::Reader::version(const char* at) {
  constexpr std::size_t kDigit = 7;
  if (static_cast<std::size_t>(end_ - at) >= kVersion.size() &&
      std::memcmp(at, kVersion.data(), kVersion.size()) == 0) [[likely]] {
    request_.minorVersion_ = 1;
    return at + kVersion.size();
  }
  if (static_cast<std::size_t>(end_ - at) < kVersion.size() ||
      std::memcmp(at, kVersion.data(), kDigit) != 0 || !isDigit(at[kDigit]) ||
      std::memcmp(at + kDigit + 1, "\r\n", 2) != 0) [[unlikely]] {
    badVersion(at);
    return nullptr;
  }
  request_.minorVersion_ = static_cast<unsigned>(at[kDigit] - '0');
  return at + kVersion.size();
}

// Incomplete, or not 1.x: that is known with the last digit.
bool HttpParser::Reader::badVersion(const char* at) {
  constexpr std::size_t kMajor = 5;
  constexpr std::size_t kMinor = 7;
  at_ = at;
  const std::size_t size = std::min<std::size_t>(
      static_cast<std::size_t>(end_ - at), kVersion.size());
  for (std::size_t i = 0; i < size; ++i) {
    const char wanted = kVersion[i];
    const char c = at[i];
    if (i == kMinor && isDigit(c) && at[kMajor] != kVersion[kMajor]) {
      return refuse(505, "a version that is not HTTP/1 (RFC 9110, 2.5)");
    }
    if (isDigit(wanted) ? isDigit(c) : c == wanted) continue;
    if (c == '\n') return refuse(400, kBareLf);
    if (wanted == '\n') return refuse(400, kBareCr);
    return refuse(400, "a malformed version (RFC 9112, 2.3)");
  }
  return more(State::kVersion);
}

// The field lines and the empty line. A plain line, as nearly all are, has at
// least two bytes behind it.
bool HttpParser::Reader::fields(const char* at) {
  HttpHeader* header = table_ + fields_;
  const HttpHeader* const last = table_ + limits_.fields;
  for (;;) {
    auto [nameEnd, valueEnd] = findLineEnds(begin_, at, end_);
    const bool plain = end_ - valueEnd >= 4 && isCrLf(valueEnd) &&
                       *nameEnd == ':' && nameEnd != at && header != last;
    if (!plain) [[unlikely]] {
      fields_ = static_cast<std::size_t>(header - table_);
      if (at == end_ || *at == '\r') return endOfHead(at);
      if (!oddLine(at, nameEnd, valueEnd)) return false;
    }
    header->name = {at, static_cast<std::size_t>(nameEnd - at)};
    header->value = trimmedValue(nameEnd + 1, valueEnd);
    seen_.note(*header++);
    at = valueEnd + 2;
    if (plain && isCrLf(at)) break;
  }
  fields_ = static_cast<std::size_t>(header - table_);
  at_ = at + 2;
  return true;
}

// Anything else that may be a line, with all that may be wrong with it.
bool HttpParser::Reader::oddLine(const char* name, const char*& nameEnd,
                                 const char*& valueEnd) {
  if (nameEnd == end_ || *nameEnd != ':' || nameEnd == name ||
      fields_ == limits_.fields) {
    nameEnd = oddName(name, nameEnd);
    if (nameEnd == nullptr) return false;
  }
  valueEnd = findEnd<EndOfValue>(begin_, valueEnd, end_);
  return isLineEnd(valueEnd) || badValue(valueEnd);
}

bool HttpParser::Reader::endOfHead(const char* at) {
  at_ = at;
  if (end_ - at_ < 2) return more(State::kLine);
  if (at_[1] != '\n') return refuse(400, kBareCr);
  at_ += 2;
  return true;
}

// Of a line that begins with no byte of a name.
bool HttpParser::Reader::badStart(const char* at) {
  if (isBlank(*at)) {
    return refuse(
        400, fields_ == 0 ? "white space before the first field (RFC 9112, 2.2)"
                          : "a folded field (RFC 9112, 5.2)");
  }
  if (*at == '\n') return refuse(400, kBareLf);
  if (*at == ':') return refuse(400, "a field without a name (RFC 9112, 5)");
  return refuse(400, "a byte no field name may hold (RFC 9110, 5.1)");
}

// The colon of a name that goes on with a rarer byte of a token; null when it
// goes on with what it must not, or not at all.
const char* HttpParser::Reader::oddName(const char* begin, const char* at) {
  const bool isStart = state_ != State::kName;
  if (isStart && !contains(kTokenBytes, *begin)) {
    badStart(begin);
    return nullptr;
  }
  if (fields_ == limits_.fields) {
    refuse(431, "more fields than the limit (RFC 6585, 5)");
    return nullptr;
  }
  while (at != end_ && contains(kTokenBytes, *at)) ++at;
  at_ = at;
  if (at == end_) {
    more(State::kName);
    return nullptr;
  }
  state_ = State::kLine;
  switch (*at) {
    case ':':
      return at;
    case ' ':
    case '\t':
      refuse(400, "white space before a colon (RFC 9112, 5.1)");
      break;
    case '\n':
      refuse(400, kBareLf);
      break;
    case '\r':
      refuse(400, "a line that is no field (RFC 9112, 5)");
      break;
    default:
      refuse(400, "a byte no field name may hold (RFC 9110, 5.1)");
  }
  return nullptr;
}

// The rest of a value that was begun: only whether it is one.
bool HttpParser::Reader::value(const char*& at) {
  const char* const end = findEnd<EndOfValue>(begin_, at, end_);
  if (!isLineEnd(end)) return badValue(end);
  at = end + 2;
  state_ = State::kLine;
  return true;
}

bool HttpParser::Reader::badValue(const char* end) {
  at_ = end;
  if (end == end_) return more(State::kValue);
  if (*end == '\n') return refuse(400, kBareLf);
  if (*end != '\r') {
    return refuse(400, "a control character in a field (RFC 9110, 5.5)");
  }
  if (end_ - end < 2) return more(State::kValue);
  return refuse(400, kBareCr);
}

inline HttpRefusal HttpParser::Reader::interpret() {
  request_.fields_ = fields_;
  request_.body_ = {};
  const std::size_t hosts = seen_.count(HttpSeen::kHost);
  const std::string_view host =
      hosts == 0 ? std::string_view() : seen_.first(HttpSeen::kHost).value;
  seen_.plainHost = hosts == 1 && isPlainHost(host, end_);
  if (const HttpRefusal refusal = HttpFraming::read(seen_, request_)) {
    return refusal;
  }
  request_.host_ = host;
  return readTarget();
}

// RFC 9112, 3.2: the four forms.
inline HttpRefusal HttpParser::Reader::readTarget() {
  const std::string_view target = request_.target_;
  const std::size_t path = query_ == nullptr
                               ? target.size()
                               : static_cast<std::size_t>(query_ - target_);
  request_.path_ = target.substr(0, path);
  request_.query_ =
      query_ == nullptr ? std::string_view() : target.substr(path + 1);
  if (target[0] == '/' && request_.method_ != "CONNECT") return {};
  return readOtherTarget();
}

HttpRefusal HttpParser::Reader::readOtherTarget() {
  const std::string_view target = request_.target_;
  const std::string_view method = request_.method_;
  if (method == "CONNECT") {
    const std::size_t colon = target.rfind(':');
    // The last colon of an address in brackets begins no port.
    if (colon == std::string_view::npos || colon == 0 ||
        !isDigit(target.back()) || !isAuthority(target)) {
      return {400, "CONNECT wants host and port (RFC 9112, 3.2.3)"};
    }
    if (request_.isChunked_ || request_.contentLength_ != 0) {
      return {400, "CONNECT with content (RFC 9110, 9.3.6)"};
    }
    request_.path_ = request_.query_ = {};
    request_.host_ = target;
    // What follows was meant for a tunnel: it is no request.
    request_.keepAlive_ = false;
    return {};
  }
  if (target == "*") {
    // M-SEARCH and the like are about the server too.
    if (!isWithoutAsterisk(method)) return {};
    return {400, "the target * is for OPTIONS (RFC 9112, 3.2.4)"};
  }
  if (sameName(target.substr(0, 7), "http://")) return readAbsolute(7);
  if (sameName(target.substr(0, 8), "https://")) return readAbsolute(8);
  return {400, "a target that is no path (RFC 9112, 3.2)"};
}

// Host is ignored then, but it had to be there and valid.
HttpRefusal HttpParser::Reader::readAbsolute(std::size_t slashes) {
  std::string_view rest = request_.path_;
  rest.remove_prefix(slashes);
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  // RFC 9110, 4.2.1 and 4.2.4: no empty host, no user information.
  if (authority.empty() || authority[0] == ':' || !isAuthority(authority)) {
    return {400, "an absolute target without a host (RFC 9110, 4.2)"};
  }
  request_.host_ = authority;
  request_.path_ = slash == std::string_view::npos ? "/" : rest.substr(slash);
  return {};
}

HttpParser::Result HttpParser::parse(std::string_view bytes, Resume& resume,
                                     const HttpLimits& limits,
                                     HttpRequest& request) {
  if (resume.position != 0 || resume.state != State::kMethod) [[unlikely]] {
    const Result result = check(bytes, resume, limits, request);
    if (result.kind != Result::Kind::kWhole) return result;
    resume = {};
  }
  Reader reader(bytes, {}, limits, request);
  if (!reader.read()) [[unlikely]] {
    resume = reader.resume();
    return reader.failure();
  }
  if (const HttpRefusal refusal = reader.interpret()) {
    return {Result::Kind::kRefused, 0, refusal};
  }
  return {Result::Kind::kWhole, reader.length(), {}};
}

// The bytes that came since the last call.
HttpParser::Result HttpParser::check(std::string_view bytes, Resume& resume,
                                     const HttpLimits& limits,
                                     HttpRequest& request) {
  Reader reader(bytes, resume, limits, request);
  const bool whole = reader.goOn();
  resume = reader.resume();
  if (!whole) return reader.failure();
  return {Result::Kind::kWhole, reader.length(), {}};
}

}  // namespace brigade::detail
