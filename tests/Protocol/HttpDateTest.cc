#include "brigade/Protocol/HttpDate.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

namespace brigade {
namespace {

std::string formatted(std::time_t time) {
  const auto text = formatHttpDate(time);
  return {text.data(), text.size()};
}

TEST(HttpDate, IsWrittenAsTheStandardSays) {
  // RFC 9110, 5.6.7.
  EXPECT_EQ(formatted(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(formatted(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(formatted(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(formatted(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(HttpDate, AYearThatDoesNotFitIsTheNearestThatDoes) {
  EXPECT_EQ(formatted(std::numeric_limits<std::time_t>::max()),
            "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(formatted(std::numeric_limits<std::time_t>::min()),
            "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST(HttpDate, ThreeFormatsAreRead) {
  EXPECT_EQ(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  EXPECT_EQ(parseHttpDate("Sun Nov  6 08:49:37 1994"), 784111777);
  EXPECT_EQ(parseHttpDate("Wed Nov 16 08:49:37 1994"), 784975777);
  EXPECT_EQ(parseHttpDate("Tuesday, 06-Nov-12 00:00:00 GMT"), 1352160000);
  EXPECT_EQ(parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228799);
}

TEST(HttpDate, WhatIsNoDateIsNone) {
  for (const char* text :
       {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Thu, 29 Feb 2001 00:00:00 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994", "784111777"}) {
    EXPECT_EQ(parseHttpDate(text), std::nullopt) << text;
  }
}

TEST(HttpDate, WhatIsWrittenIsReadAgain) {
  std::minstd_rand random(3);
  for (int i = 0; i < 10000; ++i) {
    const auto time = static_cast<std::time_t>(random()) * 50;
    EXPECT_EQ(parseHttpDate(formatted(time)), time);
  }
}

}  // namespace
}  // namespace brigade
