#include "examples/JsonLines.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/CodecProperty.h"

namespace brigade {
namespace {

using nlohmann::json;
using testing::CodecProperty;
using testing::CodecResult;

std::string documentOf(const Message& message) {
  return message.as<json>().dump();
}

const CodecProperty kJsonLines([] { return std::make_unique<JsonLines>(); },
                               documentOf);
constexpr const char* kNotJson = "not JSON";
constexpr const char* kTooDeep = "JSON that is nested too deep";

std::string nested(int depth) {
  const auto levels = static_cast<std::size_t>(depth);
  return std::string(levels, '[') + std::string(levels, ']');
}

std::string encoded(const Message& message) {
  JsonLines codec;
  return CodecProperty::encoded(codec, message);
}

struct Case {
  const char* name;
  std::string bytes;
  std::vector<std::string> documents;
  std::string malformed;
  std::size_t rest;
};

const std::vector<Case> kCases = {
    {"an object", "{\"a\": [1, 2]}\n", {R"({"a":[1,2]})"}, "", 0},
    {"any value", "1\n\"x\"\r\nnull\n", {"1", R"("x")", "null"}, "", 0},
    {"white space", " \t[ ] \r\n", {"[]"}, "", 0},
    {"no end yet", "1\n{\"a\":", {"1"}, "", 5},
    {"no JSON", "1\nhello\n2\n", {"1"}, kNotJson, 8},
    {"an empty line", "\n", {}, kNotJson, 1},
    {"two documents on a line", "1 2\n", {}, kNotJson, 4},
    {"a document on two lines", "[1,\n2]\n", {}, kNotJson, 7},
    {"no UTF-8", "\"\xff\"\n", {}, kNotJson, 4},
    {"a number that is too large", "1e999\n", {}, kNotJson, 6},
};

TEST(JsonLines, DocumentsAreMessagesHoweverTheyAreCut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const CodecResult expected{c.documents, c.malformed, c.rest};
    EXPECT_EQ(kJsonLines.whole(c.bytes), expected);
    kJsonLines.holdsFor(c.bytes);
  }
}

TEST(JsonLines, ADocumentMayBeNestedOnlySoDeep) {
  const std::string deep = nested(JsonLines::kMaxDepth);
  EXPECT_EQ(kJsonLines.whole(deep + '\n').messages, std::vector{deep});
  const std::string deeper = nested(JsonLines::kMaxDepth + 1);
  EXPECT_EQ(kJsonLines.whole(deeper + '\n').malformed, kTooDeep);
  const std::string deepest(1 << 20, '[');
  EXPECT_EQ(kJsonLines.whole(deepest + '\n').malformed, kTooDeep);
}

TEST(JsonLines, ALongDocumentIsSearchedForItsEndOnce) {
  std::string longest(1 << 20, 'x');
  longest.front() = '"';
  longest += "\"\n";
  kJsonLines.scansOnce(longest);
}

TEST(JsonLines, TheMessageHasTheTextAsWell) {
  JsonLines codec;
  std::string packet = "[1, 2]\r\n";
  ASSERT_EQ(codec.input(packet).kind, Packet::Kind::kWhole);
  EXPECT_EQ(codec.decode(packet).data(), "[1, 2]");
}

TEST(JsonLines, SendsADocumentOnOneLine) {
  const json document = {{"text", "two\nlines"}, {"list", {1, 2.5, nullptr}}};
  EXPECT_EQ(encoded(Message::of(document)),
            "{\"list\":[1,2.5,null],\"text\":\"two\\nlines\"}\n");
}

TEST(JsonLines, SendsTextAsItIs) { EXPECT_EQ(encoded("[1, 2]"), "[1, 2]\n"); }

TEST(JsonLines, SendsBackWhatItReceivedAsItWas) {
  const json document = {1, 2};
  EXPECT_EQ(encoded(Message::of(document, "[1, 2]")), "[1, 2]\n");
}

TEST(JsonLines, ADocumentSurvivesTheWayThere) {
  for (const char* text : {"null", "[]", "-0.0", "18446744073709551616", "0.1",
                           R"({"a":{"b":[true,"\u0000\n"]}})"}) {
    const json document = json::parse(text);
    kJsonLines.survives(Message::of(document));
  }
}

}  // namespace
}  // namespace brigade
