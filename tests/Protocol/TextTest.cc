#include "brigade/Protocol/Text.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/CodecProperty.h"

namespace brigade {
namespace {

using testing::CodecProperty;
using testing::CodecResult;

const CodecProperty kText([] { return std::make_unique<Text>(); });

struct Case {
  const char* name;
  std::string bytes;
  std::vector<std::string> messages;
  std::size_t rest;
};

const std::vector<Case> kCases = {
    {"one line", "hello\n", {"hello"}, 0},
    {"several lines", "a\nbc\ndef\n", {"a", "bc", "def"}, 0},
    {"empty lines", "\n\n\r\n", {"", "", ""}, 0},
    {"carriage returns end a line too", "a\r\nb\r\n", {"a", "b"}, 0},
    {"mixed ends", "a\nb\r\nc\n", {"a", "b", "c"}, 0},
    {"only one carriage return is dropped", "a\r\r\n", {"a\r"}, 0},
    {"a carriage return inside stays", "a\rb\n\rc\n", {"a\rb", "\rc"}, 0},
    {"a carriage return ends nothing", "a\r", {}, 2},
    {"no end yet", "hello", {}, 5},
    {"a line and a part", "a\nb", {"a"}, 1},
    {"any other byte", {"\0\xff\x80\t\n", 5}, {{"\0\xff\x80\t", 4}}, 0},
    {"a long line",
     std::string(700, 'x') + "\ny\n",
     {std::string(700, 'x'), "y"},
     0},
};

TEST(Text, LinesAreMessagesHoweverTheyAreCut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const CodecResult expected{c.messages, "", c.rest};
    EXPECT_EQ(kText.whole(c.bytes), expected);
    kText.holdsFor(c.bytes);
  }
}

TEST(Text, EveryByteOfALongLineIsLookedAtOnce) {
  std::string line(10 << 20, 'x');
  line.back() = '\n';
  kText.scansOnce(line);
  kText.scansOnce(line, 1460);
}

TEST(Text, TheNextLineIsSearchedFromItsStart) {
  Text codec;
  EXPECT_EQ(codec.input("a long").kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("a long line\n").length, 12U);
  EXPECT_EQ(codec.input("a\nb\n").length, 2U);
}

TEST(Text, TheSameBytesMayComeAgain) {
  Text codec;
  EXPECT_EQ(codec.input("paus").kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("paus").kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("paused\n").length, 7U);
}

TEST(Text, FewerBytesThanBeforeAreHarmless) {
  Text codec;
  EXPECT_EQ(codec.input("0123456789").kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("0123").kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("0123\n").length, 5U);
}

TEST(Text, AMessageIsSentAsALine) {
  Text codec;
  EXPECT_EQ(CodecProperty::encoded(codec, "hello"), "hello\n");
  EXPECT_EQ(CodecProperty::encoded(codec, ""), "\n");
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(CodecProperty::encoded(codec, large), large + '\n');
}

TEST(Text, AMessageSurvivesTheWayThere) {
  kText.survives("");
  kText.survives("hello");
  kText.survives("\ra\rb");
  kText.survives(std::string(100000, 'x'));
}

TEST(Text, TheMessageLiesInTheReceivedBytes) {
  Text codec;
  std::string packet = "hello\r\n";
  const Message message = codec.decode(packet);
  EXPECT_EQ(message.data().data(), packet.data());
}

TEST(Text, TheCodecOfAConnectionIsTiny) { EXPECT_LE(sizeof(Text), 16U); }

}  // namespace
}  // namespace brigade
