#include "brigade/Worker/detail/Printable.h"

namespace brigade::detail {

namespace {

unsigned char byteAt(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

bool isContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The second byte decides whether a sequence is overlong, a surrogate or
// beyond U+10FFFF (RFC 3629, section 4); below U+00A0 it is a control.
bool isSecondByte(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xC2:
      return second >= 0xA0 && second <= 0xBF;
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return isContinuation(second);
  }
}

// Bytes of the printable character that `text` begins with; 0 for none.
std::size_t printableLength(std::string_view text) {
  const unsigned char first = byteAt(text, 0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  if (first < 0xC2 || first > 0xF4) return 0;
  if (!isSecondByte(first, byteAt(text, 1))) return 0;
  if (first < 0xE0) return 2;
  if (!isContinuation(byteAt(text, 2))) return 0;
  if (first < 0xF0) return 3;
  return isContinuation(byteAt(text, 3)) ? 4 : 0;
}

void appendEscaped(std::string& out, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  switch (byte) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0x0F];
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = printableLength(text);
    if (length == 0) {
      appendEscaped(out, byteAt(text, 0));
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return out;
}

std::size_t displayWidth(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) {
    if (!isContinuation(static_cast<unsigned char>(c))) ++width;
  }
  return width;
}

}  // namespace brigade::detail
