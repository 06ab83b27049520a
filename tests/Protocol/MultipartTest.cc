#include "brigade/Protocol/Multipart.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/GuardedBytes.h"

namespace brigade {
namespace {

using Kind = Multipart::Event::Kind;

// "[name|filename|type]data$" for each part, "." for the end, "!reason".
std::string parsed(std::string_view body, std::size_t step,
                   const Multipart::Limits& limits = {}) {
  Multipart parser("XX", limits);
  testing::GuardedBytes memory;
  std::string text;
  while (!body.empty()) {
    const auto bytes = memory.place(body.substr(0, step));
    body.remove_prefix(bytes.size());
    std::string_view piece(bytes.data(), bytes.size());
    for (;;) {
      const Multipart::Event event = parser.next(piece);
      if (event.kind == Kind::kMore) break;
      if (event.kind == Kind::kRefused) return text + "!" + event.reason;
      if (event.kind == Kind::kPart) {
        text.append("[").append(parser.part().name).append("|");
        text.append(parser.part().filename.value_or("-")).append("|");
        text.append(parser.part().contentType).append("]");
      } else if (event.kind == Kind::kData) {
        EXPECT_FALSE(event.data.empty());
        text += event.data;
      } else {
        text += event.kind == Kind::kPartEnd ? "$" : ".";
      }
    }
    EXPECT_TRUE(piece.empty());
  }
  EXPECT_EQ(parser.ended(), text.ends_with('.'));
  return text;
}

struct Case {
  const char* name;
  std::string body;
  const char* text;
};

const std::string kHead = "Content-Disposition: form-data; name=\"a\"\r\n";

std::string part(const std::string& head, const std::string& data) {
  return "--XX\r\n" + head + "\r\n" + data + "\r\n";
}

const std::vector<Case> kCases = {
    {"RFC 7578, 4: one field", part(kHead, "hello") + "--XX--\r\n",
     "[a|-|text/plain]hello$."},
    {"RFC 7578, 4.3: several files of a field",
     part("Content-Disposition: form-data; name=\"f\"; filename=\"1.txt\"\r\n"
          "Content-Type: text/x\r\n",
          "1") +
         part("content-disposition:form-data;filename=2;name=f\r\n", "2") +
         "--XX--",
     "[f|1.txt|text/x]1$[f|2|text/plain]2$."},
    {"RFC 2046, 5.1.1: an empty part", part(kHead, "") + "--XX--",
     "[a|-|text/plain]$."},
    {"RFC 2046, 5.1.1: a part without a body",
     "--XX\r\n" + kHead + "\r\n--XX--", "[a|-|text/plain]$."},
    {"RFC 2046, 5.1.1: no part", "--XX--\r\n", "."},
    {"RFC 2046, 5.1.1: preamble and epilogue",
     "before\r\n-XX\r\n" + part(kHead, "x") + "--XX--\r\n--XX\r\nbehind",
     "[a|-|text/plain]x$."},
    {"RFC 2046, 5.1.1: padding",
     "--XX \t\r\n" + kHead + "\r\nx\r\n--XX--  \r\n", "[a|-|text/plain]x$."},
    {"data that is nearly a boundary",
     part(kHead, "\r\n\r\r\n-\r\n--\r\n--X\r\n--Y\r") + "--XX--",
     "[a|-|text/plain]\r\n\r\r\n-\r\n--\r\n--X\r\n--Y\r$."},
    {"data that begins like one", part(kHead, "--X") + "--XX--",
     "[a|-|text/plain]--X$."},
    {"RFC 7578, 4.2: names are bytes",
     part("Content-Disposition: form-data; name=\"\xC3\xA4%22\\\\\\\"\\x\"\r\n",
          "") +
         "--XX--",
     "[\xC3\xA4%22\\\"\\x|-|text/plain]$."},
    {"RFC 7578, 4.8: other fields are dropped",
     part(kHead + "Content-Transfer-Encoding: binary\r\nX:\r\n", "x") +
         "--XX--",
     "[a|-|text/plain]x$."},
    {"an end that has not come", part(kHead, "x"), "[a|-|text/plain]x"},
    {"a body that ends with a boundary", part(kHead, "x") + "--XX",
     "[a|-|text/plain]x$"},
    // Refused.
    {"RFC 2046, 5.1.1: a boundary that goes on", "--XXY\r\n",
     "!a boundary that goes on"},
    {"half an end", "--XX-\r\n", "!a boundary that goes on"},
    {"a bare CR behind a boundary", "--XX\rx", "!a bare CR behind a boundary"},
    {"RFC 7578, 4.2: no disposition", part("X: y\r\n", ""),
     "!a part without Content-Disposition"},
    {"no head at all", part("", ""), "!a part without Content-Disposition"},
    {"RFC 7578, 4.2: no name", part("Content-Disposition: form-data\r\n", ""),
     "!a part without a name (RFC 7578, 4.2)"},
    {"RFC 7578, 4.2: no form-data",
     part("Content-Disposition: attachment; name=a\r\n", ""),
     "!a part that is no form-data (RFC 7578, 4.2)"},
    {"two names",
     part("Content-Disposition: form-data; name=a; NAME=b\r\n", ""),
     "!a part with two names"},
    {"two file names",
     part("Content-Disposition: form-data; name=a; filename=b; filename=c\r\n",
          ""),
     "!a part with two file names"},
    {"two dispositions", part(kHead + kHead, ""),
     "!more than one Content-Disposition"},
    {"two types",
     part(kHead + "Content-Type: a/b\r\nContent-Type: c/d\r\n", ""),
     "!more than one Content-Type"},
    {"an open quote", part("Content-Disposition: form-data; name=\"a\r\n", ""),
     "!a malformed Content-Disposition"},
    {"no value", part("Content-Disposition: form-data; name=\r\n", ""),
     "!a malformed Content-Disposition"},
    {"no field", part("abc\r\n", ""),
     "!a malformed field in the head of a part"},
    {"a folded field", part(kHead + " x\r\n", ""),
     "!a malformed field in the head of a part"},
    {"a bare LF", part("X: y\n", ""), "!a bare LF in the head of a part"},
    {"a bare CR", part("X: y\rz\r\n", ""),
     "!a control character in the head of a part"},
};

TEST(Multipart, PartsComeOutHoweverTheBodyIsCut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(parsed(c.body, c.body.size()), c.text);
    for (std::size_t step = 1; step < 24; ++step) {
      EXPECT_EQ(parsed(c.body, step), c.text) << step;
    }
  }
}

TEST(Multipart, LimitsHoldToTheByte) {
  const std::string body = part(kHead, "1") + part(kHead, "2") + "--XX--";
  const std::string expected = "[a|-|text/plain]1$[a|-|text/plain]2$.";
  const Multipart::Limits exact{.parts = 2, .headBytes = kHead.size() + 2};
  EXPECT_EQ(parsed(body, 5, exact), expected);
  EXPECT_EQ(parsed(body, 5, {.parts = 1}),
            "[a|-|text/plain]1$!more parts than the limit");
  for (const std::size_t step : {std::size_t{1}, body.size()}) {
    EXPECT_EQ(parsed(body, step, {.headBytes = kHead.size() + 1}),
              "!the head of a part over the limit");
  }
  EXPECT_EQ(parsed("--XX" + std::string(100, ' '), 7, {.headBytes = 50}),
            "!a boundary over the limit");
}

TEST(Multipart, ALargeFileComesInPiecesAsLargeAsTheInput) {
  const std::string data(1 << 20, '\r');
  std::string body = part(kHead, data) + "--XX--";
  std::string_view piece = body;
  Multipart parser("XX");
  EXPECT_EQ(parser.next(piece).kind, Kind::kPart);
  const Multipart::Event event = parser.next(piece);
  EXPECT_EQ(event.kind, Kind::kData);
  EXPECT_EQ(event.data, data);
  EXPECT_EQ(parser.next(piece).kind, Kind::kPartEnd);
  EXPECT_EQ(parser.next(piece).kind, Kind::kEnd);
}

TEST(Multipart, ABoundaryIsThatOfTheContentType) {
  const auto boundary = Multipart::boundaryOf;
  EXPECT_EQ(boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(boundary("Multipart/Form-Data; charset=x; Boundary=\"a b:c\""),
            "a b:c");
  EXPECT_EQ(boundary("multipart/mixed; boundary=abc"), std::nullopt);
  EXPECT_EQ(boundary("multipart/form-data"), std::nullopt);
  EXPECT_EQ(boundary("multipart/form-data; boundary=\"\""), std::nullopt);
  EXPECT_EQ(boundary("multipart/form-data; boundary=\"a \""), std::nullopt);
  EXPECT_EQ(boundary("multipart/form-data; boundary=a*b"), std::nullopt);
  const std::string prefix = "multipart/form-data; boundary=";
  EXPECT_EQ(boundary(prefix + std::string(70, 'x')), std::string(70, 'x'));
  EXPECT_EQ(boundary(prefix + std::string(71, 'x')), std::nullopt);
}

}  // namespace
}  // namespace brigade
