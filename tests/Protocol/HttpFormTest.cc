#include "brigade/Protocol/HttpForm.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace brigade {
namespace {

using Strings = std::vector<std::string_view>;

TEST(HttpForm, EscapesAreDecodedOnceAndStrictly) {
  // RFC 3986, 2.1 and 2.4.
  EXPECT_EQ(percentDecode("/a%20b%2Fc+d"), "/a b/c+d");
  EXPECT_EQ(percentDecode("%252e"), "%2e");
  EXPECT_EQ(percentDecode("%00%fF"), std::string("\0\xFF", 2));
  EXPECT_EQ(percentDecode(""), "");
  for (const char* bad : {"%", "%2", "a%", "%2g", "%g2", "%%20", "% 2"}) {
    EXPECT_EQ(percentDecode(bad), std::nullopt) << bad;
  }
}

TEST(HttpForm, ParametersKeepTheirOrder) {
  // WHATWG URL, 5.1.
  const auto form = HttpForm::parse("a=1&b=x+y%2Bz&a=2&c&=d&&e=f=g");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->first("a"), "1");
  EXPECT_EQ(form->all("a"), (Strings{"1", "2"}));
  EXPECT_EQ(form->first("b"), "x y+z");
  EXPECT_EQ(form->first("c"), "");
  EXPECT_EQ(form->first(""), "d");
  EXPECT_EQ(form->first("e"), "f=g");
  EXPECT_EQ(form->first("x"), std::nullopt);
  EXPECT_EQ(form->all("x"), Strings());
  EXPECT_EQ(form->parameters().size(), 6U);
}

TEST(HttpForm, ABadEscapeOrTooManyParametersAreNoForm) {
  EXPECT_FALSE(HttpForm::parse("a=%"));
  EXPECT_FALSE(HttpForm::parse("%zz=1"));
  EXPECT_TRUE(HttpForm::parse("a&b&c", 3));
  EXPECT_FALSE(HttpForm::parse("a&b&c&d", 3));
  EXPECT_TRUE(HttpForm::parse(""));
}

TEST(HttpForm, CookiesAreFoundByName) {
  // RFC 6265, 4.2.
  const std::string field = "a=1; b=\"2\";c=3=4; =x; y; a=5";
  EXPECT_EQ(findCookie(field, "a"), "1");
  EXPECT_EQ(findCookie(field, "b"), "\"2\"");
  EXPECT_EQ(findCookie(field, "c"), "3=4");
  EXPECT_EQ(findCookie(field, "y"), std::nullopt);
  EXPECT_EQ(findCookie(field, "A"), std::nullopt);
  EXPECT_EQ(findCookie("", "a"), std::nullopt);
  const auto cookies = parseCookies(field);
  ASSERT_EQ(cookies.size(), 4U);
  EXPECT_EQ(cookies[3].first, "a");
  EXPECT_EQ(cookies[3].second, "5");
}

TEST(HttpForm, MediaTypesHaveParameters) {
  // RFC 9110, 8.3.1 and 5.6.6.
  const auto media =
      parseMediaType("Text/HTML ; Charset=utf-8;; x=\"a;\\\"b\" ;");
  ASSERT_TRUE(media);
  EXPECT_EQ(media->type, "text/html");
  EXPECT_EQ(media->parameter("charset"), "utf-8");
  EXPECT_EQ(media->parameter("X"), "a;\"b");
  EXPECT_EQ(media->parameter("y"), std::nullopt);
  for (const char* bad : {"", "text", "/", "text/", "/html", "a/b/c", "a b/c",
                          "a/b;c", "a/b;c=", "a/b;c=\"", "a/b;c=\"\\", "a/b c",
                          "a/b;c=d e", "a/b;=c", "a/b;c=\"\x01\""}) {
    EXPECT_FALSE(parseMediaType(bad)) << bad;
  }
}

TEST(HttpForm, AContentTypeIsThatOfTheExtension) {
  EXPECT_EQ(contentTypeOf("/a/index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(contentTypeOf("a.tar.GZ"), "application/gzip");
  EXPECT_EQ(contentTypeOf("x.svg"), "image/svg+xml");
  EXPECT_EQ(contentTypeOf("a.woff2"), "font/woff2");
  for (const char* unknown : {"", "a", "a.", "a.b/c", "a.unknown", "html"}) {
    EXPECT_EQ(contentTypeOf(unknown), "application/octet-stream") << unknown;
  }
}

TEST(HttpForm, EntityTagsAreComparedWeakly) {
  // RFC 9110, 8.8.3.2.
  EXPECT_TRUE(matchesETag("\"1\"", "\"1\""));
  EXPECT_TRUE(matchesETag("W/\"1\"", "\"1\""));
  EXPECT_TRUE(matchesETag("\"1\"", "W/\"1\""));
  EXPECT_FALSE(matchesETag("\"1\"", "\"2\""));
  EXPECT_TRUE(matchesETag("\"a,b\", W/\"c\" ,\"d\"", "\"d\""));
  EXPECT_TRUE(matchesETag("\"a,b\"", "\"a,b\""));
  EXPECT_FALSE(matchesETag("\"a,b\"", "\"b\""));
  EXPECT_TRUE(matchesETag(" * ", "\"1\""));
  EXPECT_TRUE(matchesETag(", ,\"1\"", "\"1\""));
  for (const char* bad : {"", "1", "\"1", "w/\"1\"", "x, \"1\"", ","}) {
    EXPECT_FALSE(matchesETag(bad, "\"1\"")) << bad;
  }
  EXPECT_FALSE(matchesETag("\"1\"", "1"));
}

TEST(HttpForm, EntityTagsAreComparedStronglyWhenAsked) {
  // RFC 9110, 8.8.3.2, table 3.
  constexpr auto kStrong = ETagComparison::kStrong;
  EXPECT_TRUE(matchesETag("\"1\"", "\"1\"", kStrong));
  EXPECT_FALSE(matchesETag("W/\"1\"", "\"1\"", kStrong));
  EXPECT_FALSE(matchesETag("\"1\"", "W/\"1\"", kStrong));
  EXPECT_FALSE(matchesETag("W/\"1\"", "W/\"1\"", kStrong));
  EXPECT_FALSE(matchesETag("\"1\"", "\"2\"", kStrong));
  EXPECT_TRUE(matchesETag("W/\"1\", \"1\"", "\"1\"", kStrong));
  EXPECT_TRUE(matchesETag("*", "W/\"1\"", kStrong));
}

struct RangeCase {
  const char* field;
  HttpRanges::Kind kind;
  std::vector<HttpRange> ranges;
};

TEST(HttpForm, RangesAreThoseOfTheRepresentation) {
  // RFC 9110, 14.1.2 and 14.2, of 100 bytes.
  using Kind = HttpRanges::Kind;
  const std::vector<RangeCase> cases = {
      {"bytes=0-9", Kind::kSatisfiable, {{0, 10}}},
      {"Bytes=90-", Kind::kSatisfiable, {{90, 10}}},
      {"bytes=-5", Kind::kSatisfiable, {{95, 5}}},
      {"bytes=-500", Kind::kSatisfiable, {{0, 100}}},
      {"bytes=99-99", Kind::kSatisfiable, {{99, 1}}},
      {"bytes=50-1000", Kind::kSatisfiable, {{50, 50}}},
      {"bytes=50-99999999999999999999999", Kind::kSatisfiable, {{50, 50}}},
      {"bytes=0-0, -1,10-19", Kind::kSatisfiable, {{0, 1}, {99, 1}, {10, 10}}},
      {"bytes=100-, 1-1", Kind::kSatisfiable, {{1, 1}}},
      {"bytes=100-", Kind::kUnsatisfiable, {}},
      {"bytes=-0", Kind::kUnsatisfiable, {}},
      {"bytes=18446744073709551616-", Kind::kUnsatisfiable, {}},
      {"bytes=9-0", Kind::kIgnored, {}},
      {"bytes=", Kind::kIgnored, {}},
      {"bytes=-", Kind::kIgnored, {}},
      {"bytes=a-b", Kind::kIgnored, {}},
      {"bytes=1", Kind::kIgnored, {}},
      {"bytes=1-2-3", Kind::kIgnored, {}},
      {"bytes=+1-2", Kind::kIgnored, {}},
      {"bytes=1-2,x", Kind::kIgnored, {}},
      {"lines=1-2", Kind::kIgnored, {}},
      {"bytes", Kind::kIgnored, {}},
      {"", Kind::kIgnored, {}},
      // Together longer than the representation: RFC 9110, 14.2.
      {"bytes=0-,0-", Kind::kIgnored, {}},
  };
  for (const RangeCase& c : cases) {
    SCOPED_TRACE(c.field);
    const HttpRanges ranges = parseRanges(c.field, 100);
    EXPECT_EQ(ranges.kind, c.kind);
    EXPECT_EQ(ranges.ranges, c.ranges);
  }
  EXPECT_EQ(parseRanges("bytes=0-", 0).kind, Kind::kUnsatisfiable);
  EXPECT_EQ(parseRanges("bytes=0-0,1-1,2-2", 9, 3).kind, Kind::kSatisfiable);
  EXPECT_EQ(parseRanges("bytes=0-0,1-1,2-2", 9, 2).kind, Kind::kIgnored);
}

TEST(HttpForm, AnEncodingIsAcceptedWithAWeightAboveZero) {
  // RFC 9110, 12.5.3 and 12.4.2.
  for (const char* field :
       {"gzip", "deflate, GZip", "gzip;q=0.001", "gzip ; q=1.000", "x-gzip",
        "*", "*;q=0.5, br", "identity;q=0, *;Q=1", "gzip;q=1."}) {
    EXPECT_TRUE(acceptsEncoding(field, "gzip")) << field;
  }
  for (const char* field :
       {"", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipp",
        "gzip;q=2", "gzip;q=1.001", "gzip;q=x", "gzip;x=1", "gzip;q=0.0001",
        "gzip;q=", "gzip;q"}) {
    EXPECT_FALSE(acceptsEncoding(field, "gzip")) << field;
  }
}

}  // namespace
}  // namespace brigade
