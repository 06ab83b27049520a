#include "brigade/Worker/detail/Printable.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace brigade::detail {
namespace {

using std::string_view_literals::operator""sv;

TEST(Printable, LeavesReadableTextAsItIs) {
  EXPECT_EQ(printable("plain \\n text"), "plain \\n text");
  EXPECT_EQ(printable("Grüße, 世界, 🎉, \u00A0"), "Grüße, 世界, 🎉, \u00A0");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, EscapesWhatWouldMoveTheCursor) {
  EXPECT_EQ(printable("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(printable("nul\0nul"sv), "nul\\x00nul");
}

TEST(Printable, EscapesTheControlCharactersOfUnicode) {
  // U+009B: what a terminal takes for ESC [
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\x9B"), "\\x9b");
  EXPECT_EQ(printable("\xC0\x8A"), "\\xc0\\x8a");           // overlong \n
  EXPECT_EQ(printable("\xE0\x80\x8A"), "\\xe0\\x80\\x8a");  // overlong \n
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xF0\x80\x80\x8A"), "\\xf0\\x80\\x80\\x8a");
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xFF"), "\\xff");
}

TEST(Printable, EscapesACharacterThatIsCutOff) {
  EXPECT_EQ(printable("\xE4\xB8"), "\\xe4\\xb8");
  EXPECT_EQ(printable("\xF0\x9F\x8E"), "\\xf0\\x9f\\x8e");
  EXPECT_EQ(printable("\xC3"), "\\xc3");
  EXPECT_EQ(printable("\xC3\n"), "\\xc3\\n");
}

TEST(Printable, CountsCharactersNotBytes) {
  EXPECT_EQ(displayWidth("Grüße"), 5U);
  EXPECT_EQ(displayWidth("世界"), 2U);
  EXPECT_EQ(displayWidth(""), 0U);
}

}  // namespace
}  // namespace brigade::detail
