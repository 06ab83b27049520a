#pragma once

// Utf8Reference: UTF-8 as RFC 3629, 3 describes it: decoded, then judged. Slow
// and plain; what brigade's own automaton is held against.

#include <cstddef>
#include <string>
#include <string_view>

namespace brigade::testing {

// The bytes of any number up to 21 bits, be it a character or not.
inline std::string utf8Of(char32_t c) {
  const auto tail = [c](int shift) {
    return static_cast<char>(0x80 | (c >> shift & 0x3F));
  };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
  if (c < 0x10000) {
    return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
  }
  return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
}

inline bool isUtf8ByTheBook(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    std::size_t size = 0;
    if (first < 0x80) {
      size = 1;
    } else if (first >> 5 == 0x06) {
      size = 2;
    } else if (first >> 4 == 0x0E) {
      size = 3;
    } else if (first >> 3 == 0x1E) {
      size = 4;
    }
    if (size == 0 || size > text.size() - i) return false;
    char32_t c = size == 1 ? first : first & (0x7FU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto byte = static_cast<unsigned char>(text[i + k]);
      if (byte >> 6 != 2) return false;
      c = c << 6 | (byte & 0x3F);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < kLeast[size] || c > 0x10FFFF) return false;
    if (c >= 0xD800 && c <= 0xDFFF) return false;
    i += size;
  }
  return true;
}

}  // namespace brigade::testing
