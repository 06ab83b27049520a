#include "ChatText.h"

#include <algorithm>
#include <array>

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array kControl = {Range{0x00, 0x1F}, Range{0x7F, 0x9F}};

// Of no width, or another space, or a change of direction (Unicode 15: General
// Category Cf, Zl, Zp, Zs but for U+0020, and what is drawn as nothing).
constexpr std::array kUnseen = {
    Range{0x00A0, 0x00A0},   Range{0x00AD, 0x00AD},   Range{0x034F, 0x034F},
    Range{0x0600, 0x0605},   Range{0x061C, 0x061C},   Range{0x06DD, 0x06DD},
    Range{0x070F, 0x070F},   Range{0x115F, 0x1160},   Range{0x1680, 0x1680},
    Range{0x17B4, 0x17B5},   Range{0x180B, 0x180F},   Range{0x2000, 0x200F},
    Range{0x2028, 0x202F},   Range{0x205F, 0x206F},   Range{0x2800, 0x2800},
    Range{0x3000, 0x3000},   Range{0x3164, 0x3164},   Range{0xFE00, 0xFE0F},
    Range{0xFEFF, 0xFEFF},   Range{0xFFA0, 0xFFA0},   Range{0xFFF9, 0xFFFB},
    Range{0x1D173, 0x1D17A}, Range{0xE0000, 0xE0FFF},
};

template <std::size_t kSize>
bool isIn(const std::array<Range, kSize>& ranges, char32_t character) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
    return character >= range.first && character <= range.last;
  });
}

// Takes the first character off the text (RFC 3629, 3).
char32_t takeCharacter(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                                           : 4;
  char32_t character = length == 1 ? lead : lead & (0x7Fu >> length);
  for (const char byte : text.substr(1, length - 1)) {
    character = character << 6 | (static_cast<unsigned char>(byte) & 0x3Fu);
  }
  text.remove_prefix(std::min(length, text.size()));
  return character;
}

}  // namespace

std::string_view problemWithName(std::string_view text) {
  if (text.starts_with(' ') || text.ends_with(' ')) {
    return "It must not begin or end with a space.";
  }
  std::size_t characters = 0;
  while (!text.empty()) {
    const char32_t character = takeCharacter(text);
    if (isIn(kControl, character) || isIn(kUnseen, character)) {
      return "It has a character that cannot be seen.";
    }
    if (++characters > kMaxNameCharacters) break;
  }
  if (characters == 0 || characters > kMaxNameCharacters) {
    return "It must have 1 to 32 characters.";
  }
  return {};
}

std::string_view problemWithLine(std::string_view text) {
  if (text.size() > kMaxLineBytes) return "A line has at most 2,000 bytes.";
  if (text.find_first_not_of(' ') == std::string_view::npos) {
    return "There is nothing in it.";
  }
  while (!text.empty()) {
    if (isIn(kControl, takeCharacter(text))) {
      return "It has a control character.";
    }
  }
  return {};
}
