#include "brigade/Protocol/HttpConditions.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brigade {
namespace {

using Fields = std::vector<HttpHeader>;

constexpr const char* kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kThen = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kLater = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr std::time_t kModified = 784111777;  // kThen
constexpr HttpValidators kHad{"\"1\"", kModified, kModified + 100};

struct Case {
  const char* name;
  Fields fields;
  HttpPrecondition expected;
};

TEST(HttpConditions, AreLookedAtInTheOrderOfTheRfc) {
  // RFC 9110, 13.2.2.
  constexpr auto kHolds = HttpPrecondition::kHolds;
  constexpr auto kNotModified = HttpPrecondition::kNotModified;
  constexpr auto kFailed = HttpPrecondition::kFailed;
  const std::vector<Case> cases = {
      {"none", {}, kHolds},
      {"a range is no condition", {{"Range", "bytes=0-"}}, kHolds},
      {"match", {{"If-Match", "\"1\""}}, kHolds},
      {"match of another", {{"If-Match", "\"2\""}}, kFailed},
      {"match of any", {{"if-match", "*"}}, kHolds},
      {"match of a weak one", {{"If-Match", "W/\"1\""}}, kFailed},
      {"match of one of two lines",
       {{"If-Match", "\"2\""}, {"If-Match", "\"1\""}},
       kHolds},
      {"match that is malformed", {{"If-Match", "1"}}, kFailed},
      {"unmodified since before", {{"If-Unmodified-Since", kBefore}}, kFailed},
      {"unmodified since then", {{"If-Unmodified-Since", kThen}}, kHolds},
      {"unmodified since later", {{"If-Unmodified-Since", kLater}}, kHolds},
      {"unmodified since no date", {{"If-Unmodified-Since", "then"}}, kHolds},
      {"unmodified since two dates",
       {{"If-Unmodified-Since", kBefore}, {"If-Unmodified-Since", kBefore}},
       kHolds},
      {"match goes before unmodified",
       {{"If-Unmodified-Since", kBefore}, {"If-Match", "\"1\""}},
       kHolds},
      {"none match", {{"If-None-Match", "\"1\""}}, kNotModified},
      {"none match of a weak one",
       {{"If-None-Match", "W/\"1\""}},
       kNotModified},
      {"none match of any", {{"If-None-Match", "*"}}, kNotModified},
      {"none match of another", {{"If-None-Match", "\"2\""}}, kHolds},
      {"none match in the second line",
       {{"If-None-Match", "\"2\""}, {"If-None-Match", "\"3\", \"1\""}},
       kNotModified},
      {"modified since before", {{"If-Modified-Since", kBefore}}, kHolds},
      {"modified since then", {{"If-Modified-Since", kThen}}, kNotModified},
      {"modified since later", {{"If-Modified-Since", kLater}}, kNotModified},
      {"modified since no date", {{"If-Modified-Since", "0"}}, kHolds},
      {"none match goes before modified",
       {{"If-Modified-Since", kLater}, {"If-None-Match", "\"2\""}},
       kHolds},
      {"match goes before none match",
       {{"If-None-Match", "\"1\""}, {"If-Match", "\"2\""}},
       kFailed},
      {"both hold, and it is known",
       {{"If-None-Match", "\"1\""}, {"If-Match", "\"1\""}},
       kNotModified},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(checkConditions(c.fields, kHad), c.expected) << c.name;
  }
}

struct RangeCase {
  const char* name;
  Fields fields;
  std::optional<std::string_view> expected;
};

TEST(HttpConditions, IfRangeAsksForAllWhenItKnowsAnother) {
  // RFC 9110, 13.1.5 and 14.2.
  const HttpHeader range{"Range", "bytes=1-2"};
  const std::vector<RangeCase> cases = {
      {"no range", {}, std::nullopt},
      {"a range", {range}, range.value},
      {"two lines are none", {range, range}, std::nullopt},
      {"of the same tag", {range, {"If-Range", "\"1\""}}, range.value},
      {"of another tag", {range, {"If-Range", "\"2\""}}, std::nullopt},
      {"of a weak tag", {range, {"If-Range", "W/\"1\""}}, std::nullopt},
      {"of any", {range, {"If-Range", "*"}}, std::nullopt},
      {"of two tags", {range, {"If-Range", "\"1\", \"2\""}}, std::nullopt},
      {"of the same date", {range, {"If-Range", kThen}}, range.value},
      {"of a date before", {range, {"If-Range", kBefore}}, std::nullopt},
      {"of a date after", {range, {"If-Range", kLater}}, std::nullopt},
      {"of nothing", {range, {"If-Range", ""}}, std::nullopt},
      {"of two lines",
       {range, {"If-Range", "\"1\""}, {"If-Range", "\"1\""}},
       std::nullopt},
  };
  for (const RangeCase& c : cases) {
    EXPECT_EQ(rangeOf(c.fields, kHad), c.expected) << c.name;
  }
}

TEST(HttpConditions, ADateOfThisSecondIsNoStrongValidator) {
  // RFC 9110, 8.8.2.2.
  const Fields fields = {{"Range", "bytes=0-"}, {"If-Range", kThen}};
  EXPECT_FALSE(rangeOf(fields, {"\"1\"", kModified, kModified}));
  EXPECT_TRUE(rangeOf(fields, {"\"1\"", kModified, kModified + 1}));
}

TEST(HttpConditions, AWeakTagOfTheServerHasNoRanges) {
  const Fields fields = {{"Range", "bytes=0-"}, {"If-Range", "W/\"1\""}};
  EXPECT_FALSE(rangeOf(fields, {"W/\"1\"", kModified, kModified + 100}));
}

TEST(HttpConditions, AreKnownByTheirNames) {
  for (const char* name : {"Range", "range", "If-Match", "IF-NONE-MATCH",
                           "If-Range", "If-Modified-Since"}) {
    EXPECT_TRUE(hasConditions(Fields{{"Host", "a"}, {name, "x"}})) << name;
  }
  for (const char* name : {"Ranges", "If", "Iff-Match", "Accept-Ranges"}) {
    EXPECT_FALSE(hasConditions(Fields{{name, "x"}})) << name;
  }
  EXPECT_FALSE(hasConditions({}));
}

}  // namespace
}  // namespace brigade
