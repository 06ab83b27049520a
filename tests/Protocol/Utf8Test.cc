#include "brigade/Protocol/detail/Utf8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/GuardedBytes.h"
#include "tests/support/Utf8Reference.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using detail::isUtf8;
using detail::MaskKey;
using detail::Utf8;
using testing::isUtf8ByTheBook;
using testing::utf8Of;

// How many bytes it takes to fail; 0: they are UTF-8.
std::size_t failsAfter(std::string_view bytes) {
  Utf8 utf8;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!utf8.feed(bytes.substr(i, 1))) return i + 1;
  }
  return 0;
}

struct Bad {
  const char* name;
  std::string bytes;
  std::size_t failsAfter;  // 0: only an end makes it wrong
};

// The classes of Markus Kuhn's stress test, by its numbers.
const std::vector<Bad> kBad = {
    {"2.1.5 five bytes", "\xf8\x88\x80\x80\x80", 1},
    {"2.1.6 six bytes", "\xfc\x84\x80\x80\x80\x80", 1},
    {"2.2.4 above 10FFFF", "\xf7\xbf\xbf\xbf", 1},
    {"2.2.5 five bytes", "\xfb\xbf\xbf\xbf\xbf", 1},
    {"2.2.6 six bytes", "\xfd\xbf\xbf\xbf\xbf\xbf", 1},
    {"2.3.5 110000", "\xf4\x90\x80\x80", 2},
    {"3.1.1 continuation 80", "\x80", 1},
    {"3.1.2 continuation BF", "\xbf", 1},
    {"3.1.3 two continuations", "\x80\xbf", 1},
    {"3.1.9 one behind a whole character", "\xc3\xa9\x80", 3},
    {"3.2.1 first of two and a space", "\xc0 ", 1},
    {"3.2.1 first of two and a space", "\xc2 ", 2},
    {"3.2.2 first of three and a space", "\xe1 ", 2},
    {"3.2.3 first of four and a space", "\xf1 ", 2},
    {"3.2.4 first of five and a space", "\xf8 ", 1},
    {"3.2.5 first of six and a space", "\xfc ", 1},
    {"3.3.1 last of two is missing", "\xc3", 0},
    {"3.3.2 last of three is missing", "\xe0\xa0", 0},
    {"3.3.3 last of four is missing", "\xf0\x90\x80", 0},
    {"3.3.7 last of three is missing", "\xef\xbf", 0},
    {"3.3.8 last of four is missing", "\xf3\xbf\xbf", 0},
    {"3.4 unfinished ones in a row", "\xe0\xa0\xf0\x90\x80", 3},
    {"3.5.1 FE", "\xfe", 1},
    {"3.5.2 FF", "\xff", 1},
    {"3.5.3 FE FE FF FF", "\xfe\xfe\xff\xff", 1},
    {"4.1.1 overlong slash of two", "\xc0\xaf", 1},
    {"4.1.2 overlong slash of three", "\xe0\x80\xaf", 2},
    {"4.1.3 overlong slash of four", "\xf0\x80\x80\xaf", 2},
    {"4.2.1 highest overlong of two", "\xc1\xbf", 1},
    {"4.2.2 highest overlong of three", "\xe0\x9f\xbf", 2},
    {"4.2.3 highest overlong of four", "\xf0\x8f\xbf\xbf", 2},
    {"4.3.1 overlong NUL of two", "\xc0\x80"s, 1},
    {"4.3.2 overlong NUL of three", "\xe0\x80\x80"s, 2},
    {"4.3.3 overlong NUL of four", "\xf0\x80\x80\x80"s, 2},
    {"5.1.1 surrogate D800", "\xed\xa0\x80", 2},
    {"5.1.2 surrogate DB7F", "\xed\xad\xbf", 2},
    {"5.1.4 surrogate DBFF", "\xed\xaf\xbf", 2},
    {"5.1.5 surrogate DC00", "\xed\xb0\x80", 2},
    {"5.1.7 surrogate DFFF", "\xed\xbf\xbf", 2},
    {"5.2.1 a pair of surrogates", "\xed\xa0\x80\xed\xb0\x80", 2},
    {"F5 begins nothing", "\xf5\x80\x80\x80", 1},
};

const std::vector<std::string> kGood = {
    "",
    "\0"s,
    "\x7f",
    "\xc2\x80",
    "\xdf\xbf",
    "\xe0\xa0\x80",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xef\xbf\xbd",
    "\xef\xbf\xbe",  // noncharacters are characters here (RFC 3629, 3)
    "\xef\xbf\xbf",
    "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",  // "kosme"
};

TEST(Utf8, WhatRfc3629ForbidsFailsAtTheFirstWrongByte) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.name);
    EXPECT_FALSE(isUtf8(bad.bytes));
    EXPECT_FALSE(isUtf8ByTheBook(bad.bytes));
    EXPECT_EQ(failsAfter(bad.bytes), bad.failsAfter);
  }
}

TEST(Utf8, WhatRfc3629AllowsPasses) {
  for (const std::string& good : kGood) {
    SCOPED_TRACE(::testing::PrintToString(good));
    EXPECT_TRUE(isUtf8(good));
    EXPECT_EQ(failsAfter(good), 0U);
  }
}

TEST(Utf8, AWrongByteIsFoundAtEveryPlaceOfABlock) {
  for (std::size_t size = 1; size <= 140; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const Bad& bad : kBad) {
        std::string text(size, 'x');
        text.replace(at, std::min(bad.bytes.size(), size - at), bad.bytes);
        ASSERT_FALSE(isUtf8(text))
            << bad.name << " at " << at << " in " << size;
      }
    }
  }
}

TEST(Utf8, ACharacterMayLieAtEveryPlaceOfABlock) {
  for (std::size_t before = 0; before < 140; ++before) {
    for (const std::string& good : kGood) {
      const std::string text = std::string(before, 'x') + good + "yz";
      ASSERT_TRUE(isUtf8(text)) << before << ::testing::PrintToString(good);
    }
  }
}

TEST(Utf8, EveryCharacterAndNoSurrogatePasses) {
  for (char32_t c = 0; c <= 0x110000; ++c) {
    const bool valid = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
    ASSERT_EQ(isUtf8(utf8Of(c)), valid) << std::hex << static_cast<unsigned>(c);
  }
}

TEST(Utf8, EverySequenceOfThreeBytesIsJudgedAsByTheBook) {
  for (unsigned value = 0; value < 1U << 24; value += 3) {
    const char bytes[] = {static_cast<char>(value >> 16),
                          static_cast<char>(value >> 8),
                          static_cast<char>(value)};
    const std::string_view text(bytes, 3);
    ASSERT_EQ(isUtf8(text), isUtf8ByTheBook(text)) << std::hex << value;
  }
}

TEST(Utf8, HoweverTheBytesAreCutTheVerdictIsTheSame) {
  const std::string text =
      "\xf0\x9f\x98\x80 plain text of some length, \xe2\x82\xac\xc3\xa9 and "
      "then more of it so that it takes several blocks \xed\x9f\xbf";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      const std::string_view view = text;
      Utf8 utf8;
      ASSERT_TRUE(utf8.feed(view.substr(0, first)));
      ASSERT_TRUE(utf8.feed(view.substr(first, second - first)));
      ASSERT_TRUE(utf8.feed(view.substr(second)));
      ASSERT_TRUE(utf8.complete());
    }
  }
}

TEST(Utf8, AMaskedTextIsJudgedAsTheTextUnderIt) {
  std::minstd_rand random(1);
  testing::GuardedBytes memory;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const std::size_t size = random() % 100;
    while (text.size() < size) {
      text += random() % 4 != 0
                  ? utf8Of(static_cast<char32_t>(random() % 128))
                  : utf8Of(static_cast<char32_t>(random() % 0x3000));
    }
    if (random() % 2 != 0 && !text.empty()) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const std::string key = {static_cast<char>(random()), '\x80', '\xff',
                             static_cast<char>(random())};
    const std::string masked = testing::maskedWith(key, text);
    const auto bytes = memory.place(masked);
    Utf8 utf8;
    const bool valid =
        utf8.feed({bytes.data(), bytes.size()}, MaskKey::at(key.data())) &&
        utf8.complete();
    ASSERT_EQ(valid, isUtf8ByTheBook(text)) << ::testing::PrintToString(text);
  }
}

TEST(Utf8, OnceWrongItStaysWrong) {
  Utf8 utf8;
  EXPECT_FALSE(utf8.feed("\xff"));
  EXPECT_FALSE(utf8.feed("x"));
  EXPECT_FALSE(utf8.feed(std::string(100, 'x')));
  EXPECT_FALSE(utf8.complete());
}

}  // namespace
}  // namespace brigade
