#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade::detail {
namespace {

// RFC 3986, 3.2.2: unreserved and sub-delims; a '%' begins an escape.
constexpr ByteSet kHostBytes = byteSet("-._~!$&'()*+,;=");
// Of an address in brackets: IPv6address, or IPvFuture.
constexpr ByteSet kLiteralBytes = byteSet("-._~!$&'()*+,;=:");

bool isPort(std::string_view text) {
  unsigned port = 0;
  for (const char c : text) {
    if (!isDigit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 0xFFFF) return false;
  }
  return true;
}

// Where the bytes of a host end, or npos for one that cannot be.
std::size_t endOfName(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (contains(kHostBytes, text[at])) {
      ++at;
    } else if (text[at] == '%') {
      if (text.size() - at < 3 || hexValue(text[at + 1]) < 0 ||
          hexValue(text[at + 2]) < 0) {
        return std::string_view::npos;
      }
      at += 3;
    } else {
      break;
    }
  }
  return at;
}

std::size_t endOfLiteral(std::string_view text) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos || end == 1) return std::string_view::npos;
  for (const char c : text.substr(1, end - 1)) {
    if (!contains(kLiteralBytes, c)) return std::string_view::npos;
  }
  return end + 1;
}

}  // namespace

bool isAuthority(std::string_view text) {
  const std::size_t end =
      text.starts_with('[') ? endOfLiteral(text) : endOfName(text);
  if (end == std::string_view::npos) return false;
  if (end == text.size()) return true;
  return text[end] == ':' && isPort(text.substr(end + 1));
}

}  // namespace brigade::detail
