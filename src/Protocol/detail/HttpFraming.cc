#include "brigade/Protocol/detail/HttpFraming.h"

#include <limits>

#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade::detail {
namespace {

HttpRefusal checkHost(const HttpSeen& seen, unsigned minorVersion) {
  if (seen.plainHost) return {};
  const std::size_t hosts = seen.count(HttpSeen::kHost);
  if (hosts > 1) return {400, "more than one Host (RFC 9112, 3.2)"};
  if (hosts == 0) {
    if (minorVersion == 0) return {};
    return {400, "no Host (RFC 9112, 3.2)"};
  }
  if (!isAuthority(seen.first(HttpSeen::kHost).value)) {
    return {400, "Host is no host and port (RFC 9110, 7.2)"};
  }
  return {};
}

HttpRefusal readLength(std::string_view text, std::uint64_t& length) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (text.empty()) return {400, "Content-Length is empty (RFC 9110, 8.6)"};
  length = 0;
  for (const char c : text) {
    if (!isDigit(c)) {
      return {400, "Content-Length is no number (RFC 9110, 8.6)"};
    }
    const auto digit = static_cast<unsigned>(c - '0');
    if (length > (kMax - digit) / 10) {
      return {400, "Content-Length is over 2^63-1 (RFC 9110, 8.6)"};
    }
    length = length * 10 + digit;
  }
  return {};
}

// Calls `take` with each field line of that name, of which there is one.
template <typename Take>
void eachLine(const HttpSeen& seen, HttpSeen::Name name, Take take) {
  std::size_t left = seen.count(name);
  const HttpHeader* const first = &seen.first(name);
  for (const HttpHeader* at = first; left > 0; ++at) {
    if (!sameName(at->name, first->name)) continue;
    take(at->value);
    --left;
  }
}

// The codings of all lines, in order. Only "chunked" alone is understood.
struct Codings {
  bool chunkedLast = false;
  bool chunkedBefore = false;
  bool others = false;
  bool malformed = false;

  void take(std::string_view line) {
    // An empty element behind the last comma is no better than one before it.
    malformed = malformed || line.ends_with(',');
    do {
      const std::string_view coding = nextElement(line, ',');
      chunkedBefore = chunkedBefore || chunkedLast;
      chunkedLast = sameName(coding, "chunked");
      others = others || !chunkedLast;
      const std::string_view name = coding.substr(0, coding.find(';'));
      malformed = malformed || !isToken(trimmed(name));
    } while (!line.empty());
  }
};

HttpRefusal checkCodings(const HttpSeen& seen) {
  Codings codings;
  eachLine(seen, HttpSeen::kTransferEncoding,
           [&](std::string_view line) { codings.take(line); });
  if (codings.malformed) {
    return {400, "Transfer-Encoding names no coding (RFC 9112, 6.1)"};
  }
  if (codings.chunkedBefore) {
    return {400, "Transfer-Encoding goes on after chunked (RFC 9112, 6.1)"};
  }
  if (!codings.chunkedLast) {
    return {400, "Transfer-Encoding does not end in chunked (RFC 9112, 6.3)"};
  }
  if (codings.others) {
    return {501, "a transfer coding that is not known (RFC 9112, 6.1)"};
  }
  return {};
}

}  // namespace

HttpRefusal HttpFraming::readBody(const HttpSeen& seen, HttpRequest& request) {
  if (seen.count(HttpSeen::kTransferEncoding) > 0) {
    if (seen.count(HttpSeen::kContentLength) > 0) {
      return {400, "Content-Length and Transfer-Encoding (RFC 9112, 6.3)"};
    }
    if (request.minorVersion_ == 0) {
      return {400, "Transfer-Encoding in HTTP/1.0 (RFC 9112, 6.1)"};
    }
    request.isChunked_ = true;
    return checkCodings(seen);
  }
  if (seen.count(HttpSeen::kContentLength) > 1) {
    return {400, "more than one Content-Length (RFC 9112, 6.3)"};
  }
  return readLength(seen.first(HttpSeen::kContentLength).value,
                    request.contentLength_);
}

void HttpFraming::readConnection(const HttpSeen& seen, HttpRequest& request) {
  bool close = false;
  bool keepAlive = false;
  bool upgrade = false;
  eachLine(seen, HttpSeen::kConnection, [&](std::string_view line) {
    while (!line.empty()) {
      const std::string_view option = nextElement(line, ',');
      close = close || sameName(option, "close");
      keepAlive = keepAlive || sameName(option, "keep-alive");
      upgrade = upgrade || sameName(option, "upgrade");
    }
  });
  // RFC 9110, 7.8: HTTP/1.0 upgrades to nothing.
  request.wantsUpgrade_ = upgrade && request.minorVersion_ > 0;
  request.keepAlive_ = !close && (request.minorVersion_ > 0 || keepAlive);
}

HttpRefusal HttpFraming::readExpect(const HttpSeen& seen,
                                    HttpRequest& request) {
  // HTTP/1.0 has no expectations: RFC 9110, 10.1.1.
  if (request.minorVersion_ == 0) return {};
  if (seen.count(HttpSeen::kExpect) > 1 ||
      !sameName(seen.first(HttpSeen::kExpect).value, "100-continue")) {
    return {417, "an expectation that is not known (RFC 9110, 10.1.1)"};
  }
  request.expectsContinue_ = true;
  return {};
}

HttpRefusal HttpFraming::readFields(const HttpSeen& seen,
                                    HttpRequest& request) {
  if (const auto refusal = checkHost(seen, request.minorVersion_)) {
    return refusal;
  }
  if (seen.count(HttpSeen::kContentLength) +
          seen.count(HttpSeen::kTransferEncoding) >
      0) {
    if (const auto refusal = readBody(seen, request)) return refusal;
  }
  if (seen.count(HttpSeen::kConnection) > 0) readConnection(seen, request);
  if (seen.count(HttpSeen::kExpect) > 0) return readExpect(seen, request);
  return {};
}

}  // namespace brigade::detail
