#pragma once

// HttpSyntax: the alphabets and small grammars that the parser, the encoder and
// HttpForm share (RFC 9110, 5.6). Pure functions over string_view.

#include <array>
#include <cstddef>
#include <string_view>

namespace brigade::detail {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet byteSet(std::string_view others) {
  ByteSet set{};
  for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = true;
  for (const char c : others) set[static_cast<unsigned char>(c)] = true;
  return set;
}

// RFC 9110, 5.6.2: tchar.
inline constexpr ByteSet kTokenBytes = byteSet("!#$%&'*+-.^_`|~");

inline bool contains(const ByteSet& set, char c) {
  return set[static_cast<unsigned char>(c)];
}

inline bool isToken(std::string_view text) {
  for (const char c : text) {
    if (!contains(kTokenBytes, c)) return false;
  }
  return !text.empty();
}

inline bool isDigit(char c) { return c >= '0' && c <= '9'; }
inline bool isBlank(char c) { return c == ' ' || c == '\t'; }
// RFC 9110, 5.5: what no field value holds.
inline bool isControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
}

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

inline bool sameName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  // As nearly always.
  if (a == b) return true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// 0-15, or -1.
inline int hexValue(char c) {
  if (isDigit(c)) return c - '0';
  const char letter = static_cast<char>(c | 0x20);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// RFC 9110, 5.6.3: OWS.
inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && isBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && isBlank(text.back())) text.remove_suffix(1);
  return text;
}

// The text before the first `separator`, without white space around it; `rest`
// begins behind the separator, and is empty when there was none.
inline std::string_view nextElement(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view element = trimmed(rest.substr(0, end));
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return element;
}

// uri-host [ ":" port ] of RFC 3986, 3.2.2 and 3.2.3, without user information.
bool isAuthority(std::string_view text);

}  // namespace brigade::detail
