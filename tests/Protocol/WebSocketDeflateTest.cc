#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/Protocol/WebSocketDeflateFixture.h"
#include "tests/support/Allocations.h"
#include "tests/support/ClientDeflate.h"
#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using test::noiseOf;
using test::packed;
using test::Packer;
using test::proseOf;
using test::Unpacker;
using testing::agreement;
using testing::clientFrame;
using testing::closePayload;
using testing::CodecMemory;
using testing::CodecProperty;
using testing::CodecResult;
using testing::CodecRun;
using testing::describeWebSocket;
using testing::kBinary;
using testing::kFin;
using testing::kNone;
using testing::kPing;
using testing::kRsv1;
using testing::kTakeover;
using testing::kText;
using testing::lastWords;
using testing::packedFrame;
using testing::serverFrame;
using testing::WebSocketDeflateFixture;
using Strings = std::vector<std::string>;

constexpr WebSocketLimits kSmall{
    .maxMessageSize = 1000, .maxFrameSize = 600, .maxFragments = 4};

constexpr const char* kReservedBits = "reserved bits are set";
constexpr const char* kBadDeflate =
    "a compressed message that cannot be inflated";
constexpr const char* kBadText = "a text that is not UTF-8";
constexpr const char* kLongMessage = "a message longer than maxMessageSize";
constexpr const char* kLongFrame = "a frame longer than maxFrameSize";

struct Case {
  const char* name;
  std::string bytes;
  Strings messages;
  std::string malformed = {};
  unsigned code = 0;
};

// With the limits kSmall and context takeover. Sections of RFC 7692.
const std::vector<Case> kCases = {
    {"7.2.3.1 Hello",
     packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.1 Hello in two fragments",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin, "\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.2 Hello again, out of the window",
     packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s) +
         packedFrame(kText, "\xf2\0\x11\0\0"s),
     {"text Hello", "text Hello"}},
    {"7.2.3.3 a block that is not compressed",
     packedFrame(kText, "\0\x05\0\xfa\xffHello\0"s),
     {"text Hello"}},
    {"7.2.3.4 a block that says it is the last",
     packedFrame(kText, "\xf3\x48\xcd\xc9\xc9\x07\0\0"s),
     {"text Hello"}},
    {"7.2.3.4 what follows it still has the window",
     packedFrame(kText, "\xf3\x48\xcd\xc9\xc9\x07\0\0"s) +
         packedFrame(kText, "\xf2\0\x11\0\0"s),
     {"text Hello", "text Hello"}},
    {"7.2.3.5 two blocks",
     packedFrame(kText, "\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.6 an empty message", packedFrame(kText, "\0"s), {"text "}},
    {"7.2.2 no bytes are no block",
     packedFrame(kBinary, ""),
     {},
     kBadDeflate,
     1007},
    {"6.1 a binary",
     packedFrame(kBinary, packed("\xff\0\xfe"s)),
     {"binary \xff\0\xfe"s}},
    {"6 what is not compressed",
     clientFrame(kFin | kText, "plain") + packedFrame(kText, packed("Hello")) +
         clientFrame(kFin | kBinary, "\xff"),
     {"text plain", "text Hello", "binary \xff"}},
    {"6.2 a ping inside a compressed message",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin | kPing, "") + clientFrame(kFin, "\xc9\xc9\x07\0"s),
     {"ping ", "text Hello"}},
    {"6.2 empty fragments",
     clientFrame(kRsv1 | kText, "") + clientFrame(0, packed("Hello")) +
         clientFrame(kFin, ""),
     {"text Hello"}},
    {"6.1 RSV1 of a ping",
     clientFrame(kFin | kRsv1 | kPing, ""),
     {},
     kReservedBits,
     1002},
    {"6.1 RSV1 of a close",
     clientFrame(kFin | kRsv1 | 8, packed(closePayload(1000))),
     {},
     kReservedBits,
     1002},
    {"6.1 RSV1 of a continuation",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin | kRsv1, "\xc9\xc9\x07\0"s),
     {},
     kReservedBits,
     1002},
    {"6 RSV1 with RSV2",
     clientFrame(kFin | 0x60 | kText, packed("Hello")),
     {},
     kReservedBits,
     1002},
    {"6 RSV2 alone",
     clientFrame(kFin | 0x20 | kText, "a"),
     {},
     kReservedBits,
     1002},
    {"7.2.2 a block of a reserved type",
     packedFrame(kText, "\x06\xff\xff"),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a distance before the beginning",
     packedFrame(kText, "\xf2\0\x11\0\0"s),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a stream that is cut off",
     packedFrame(kText, "\xf2\x48\xcd"),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a stored length that lies",
     packedFrame(kText, "\0\x05\0\xfb\xffHello\0"s),
     {},
     kBadDeflate,
     1007},
    {"8.1 of RFC 6455: a text is judged inflated",
     packedFrame(kText, packed("\xce\xba\xe1\xbd\xb9")),
     {"text \xce\xba\xe1\xbd\xb9"}},
    {"8.1 of RFC 6455: a wrong byte, compressed",
     packedFrame(kText, packed("ab\xff")),
     {},
     kBadText,
     1007},
    {"8.1 of RFC 6455: a text that is cut off, compressed",
     packedFrame(kText, packed("ab\xe2\x82")),
     {},
     kBadText,
     1007},
    {"8.1 of RFC 6455: in fragments",
     clientFrame(kRsv1 | kText, packed("ab\xff")) + clientFrame(kFin, ""),
     {},
     kBadText,
     1007},
    {"8 a message at its limit",
     packedFrame(kBinary, packed(std::string(1000, 'x'))),
     {"binary " + std::string(1000, 'x')}},
    {"8 a message over its limit",
     packedFrame(kBinary, packed(std::string(1001, 'x'))),
     {},
     kLongMessage,
     1009},
    {"8 fragments over their limit",
     clientFrame(kRsv1 | kBinary,
                 packed(std::string(100000, 'x')).substr(0, 5)) +
         clientFrame(kFin, packed(std::string(100000, 'x')).substr(5)),
     {},
     kLongMessage,
     1009},
    {"8 a frame over its limit", "\xc2\xfe\x03\x00"s, {}, kLongFrame, 1009},
    {"8 noise at the limit of a frame",
     packedFrame(kBinary, packed(noiseOf(600))),
     {"binary " + noiseOf(600)}},
};

class WebSocketDeflate : public WebSocketDeflateFixture {
 protected:
  WebSocketShared small_{kSmall};
};

TEST_F(WebSocketDeflate, EachCaseGivesItsMessagesAndItsCloseCode) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const std::size_t step : {c.bytes.size(), std::size_t{1}}) {
      WebSocket codec(small_, agreement(kTakeover));
      CodecMemory memory;
      CodecRun run(codec, memory, describeWebSocket);
      for (std::size_t at = 0; at < c.bytes.size(); at += step) {
        run.feed(std::string_view(c.bytes).substr(at, step));
      }
      EXPECT_EQ(run.broken(), "");
      EXPECT_EQ(run.result().messages, c.messages);
      EXPECT_EQ(run.result().malformed, c.malformed);
      if (!c.malformed.empty()) {
        EXPECT_EQ(lastWords(codec, Refusal::kMalformed),
                  serverFrame(0x88, closePayload(c.code)));
      }
    }
  }
}

// The less memory a client gives its zlib, the longer noise becomes.
TEST_F(WebSocketDeflate, NoiseAtTheLimitArrivesWhateverMemoryTheClientHas) {
  constexpr std::size_t kSize = 3 << 20;
  const std::string noise = noiseOf(kSize);
  WebSocketShared shared({.maxMessageSize = kSize, .maxFrameSize = kSize});
  WebSocketShared less({.maxMessageSize = kSize - 1, .maxFrameSize = kSize});
  for (int memoryLevel = 1; memoryLevel <= 9; ++memoryLevel) {
    SCOPED_TRACE(memoryLevel);
    std::string frame = packedFrame(
        kBinary, Packer(15, 1, Z_DEFAULT_STRATEGY, memoryLevel).pack(noise));
    EXPECT_GT(frame.size(), noise.size());
    WebSocket codec(shared, agreement(kTakeover));
    ASSERT_EQ(codec.input(frame).kind, Packet::Kind::kWhole);
    std::string copy = frame;
    EXPECT_TRUE(codec.decode(copy).data() == noise);
    // Inflated, not one byte more.
    WebSocket strict(less, agreement(kTakeover));
    ASSERT_EQ(strict.input(frame).kind, Packet::Kind::kWhole);
    EXPECT_THROW(strict.decode(frame), ProtocolError);
  }
}

TEST_F(WebSocketDeflate, HoweverTheCasesAreCutTheSameComesOut) {
  const CodecProperty property(
      [this] {
        return std::make_unique<WebSocket>(small_, agreement(kTakeover));
      },
      describeWebSocket);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    property.holdsFor(c.bytes);
  }
}

// RFC 7692, 7.1.1: what was agreed on holds, for each message.
TEST_F(WebSocketDeflate, WithoutTakeoverAMessageCannotReferToTheOneBefore) {
  const std::string bytes = packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s) +
                            packedFrame(kText, "\xf2\0\x11\0\0"s);
  const CodecProperty property(
      [this] { return std::make_unique<WebSocket>(small_, agreement(kNone)); },
      describeWebSocket);
  const CodecResult result = property.whole(bytes);
  EXPECT_EQ(result.messages, Strings{"text Hello"});
  EXPECT_EQ(result.malformed, kBadDeflate);
}

TEST_F(WebSocketDeflate, MessagesOfAClientOfEveryWindowAndContextArrive) {
  WebSocketShared shared;
  const Strings messages = {proseOf(100),   "x",           proseOf(70000),
                            noiseOf(50000), proseOf(3000), proseOf(400000)};
  for (int bits = 8; bits <= 15; ++bits) {
    for (const auto context : {kNone, kTakeover}) {
      SCOPED_TRACE(bits);
      WebSocket codec(shared, agreement(context, bits));
      auto packer = std::make_unique<Packer>(bits);
      for (const std::string& message : messages) {
        if (context == kNone) packer = std::make_unique<Packer>(bits);
        ASSERT_TRUE(
            receive(codec, packedFrame(kBinary, packer->pack(message))) ==
            "binary " + message);
      }
    }
  }
}

TEST_F(WebSocketDeflate, AClientOfEveryWindowAndContextReadsWhatIsSent) {
  WebSocketShared shared({}, {.level = 9, .threshold = 0});
  const Strings messages = {proseOf(100),   "x",           proseOf(70000),
                            noiseOf(50000), proseOf(3000), proseOf(400000)};
  for (int bits = 8; bits <= 15; ++bits) {
    for (const auto context : {kNone, kTakeover}) {
      SCOPED_TRACE(bits);
      WebSocket codec(shared, agreement(context, bits));
      Unpacker unpacker(bits);
      for (const std::string& message : messages) {
        const std::string frame = CodecProperty::encoded(
            codec, WebSocketMessage::binary(message).message());
        const auto first = static_cast<unsigned char>(frame[0]);
        const std::size_t header = frame[1] < 126    ? 2
                                   : frame[1] == 126 ? 4
                                                     : 10;
        if (first == (kFin | kBinary)) {
          ASSERT_EQ(context, kNone) << "what the window must have seen";
          ASSERT_TRUE(frame.substr(header) == message);
          continue;
        }
        ASSERT_EQ(first, kFin | kRsv1 | kBinary);
        if (context == kNone) unpacker.reset();
        ASSERT_TRUE(unpacker.unpack(frame.substr(header)) == message);
      }
    }
  }
}

TEST_F(WebSocketDeflate, ConnectionsWithoutTakeoverShareAndDoNotMix) {
  WebSocketShared shared({}, {.threshold = 0});
  WebSocket one(shared, agreement(kNone));
  WebSocket two(shared, agreement(kNone));
  const std::string packedOne = packed("one one one one");
  const std::string half = packedOne.substr(0, packedOne.size() / 2);
  std::string first = clientFrame(kRsv1 | kText, half);
  ASSERT_EQ(one.input(first).kind, Packet::Kind::kSilent);
  EXPECT_EQ(receive(two, packedFrame(kText, packed("two two"))),
            "text two two");
  EXPECT_EQ(receive(one, clientFrame(kFin, packedOne.substr(half.size()))),
            "text one one one one");
}

TEST_F(WebSocketDeflate, ShortMessagesAreSentAsTheyAre) {
  WebSocketShared shared({}, {.threshold = 100});
  WebSocket codec(shared, agreement(kTakeover));
  const auto firstOf = [&](std::size_t size) {
    return static_cast<unsigned char>(
        CodecProperty::encoded(codec, std::string(size, 'x'))[0]);
  };
  EXPECT_EQ(firstOf(0), kFin | kText);
  EXPECT_EQ(firstOf(99), kFin | kText);
  EXPECT_EQ(firstOf(100), kFin | kRsv1 | kText);
}

TEST_F(WebSocketDeflate, AnEmptyMessageAndAControlFrameAreNeverCompressed) {
  WebSocketShared shared({}, {.threshold = 0});
  WebSocket codec(shared, agreement(kTakeover));
  EXPECT_EQ(CodecProperty::encoded(codec, ""), "\x81\0"s);
  EXPECT_EQ(CodecProperty::encoded(
                codec, WebSocketMessage::ping("ping ping ping").message()),
            "\x89\x0eping ping ping");
}

TEST_F(WebSocketDeflate, NoiseIsSentAsItIsUnlessTheWindowMustSeeIt) {
  WebSocketShared shared({}, {.threshold = 0});
  const std::string noise = noiseOf(5000);
  WebSocket alone(shared, agreement(kNone));
  EXPECT_EQ(CodecProperty::encoded(alone, noise), serverFrame(0x81, noise));
  WebSocket goesOn(shared, agreement(kTakeover));
  EXPECT_EQ(CodecProperty::encoded(goesOn, noise)[0], '\xc1');
}

// Compressed, and then there was no room for it: the stream has seen what the
// client has not.
TEST_F(WebSocketDeflate, AMessageThatMemoryLacksForSpoilsNoneBehindIt) {
  WebSocketShared shared({}, {.threshold = 0});
  WebSocket codec(shared, agreement(kTakeover));
  Unpacker client;
  const std::string message = proseOf(5000);
  const std::string lost = noiseOf(100'000);
  const auto sent = [&](const std::string& text) {
    const std::string frame = CodecProperty::encoded(codec, text);
    const std::size_t header = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    return client.unpack(frame.substr(header));
  };
  ASSERT_EQ(sent(message), message);
  Output out;
  test::failAllocation(0);
  EXPECT_THROW(codec.encode(lost, out), std::bad_alloc);
  test::failNoAllocation();
  const std::string end = lost.substr(lost.size() - 5000);
  EXPECT_TRUE(sent(end) == end);
  EXPECT_EQ(sent(message), message);
}

TEST_F(WebSocketDeflate, ManyLastBlocksAreRead) {
  std::string blocks;
  for (int i = 0; i < 100; ++i) blocks += "\xf3\x48\xcd\xc9\xc9\x07\0"s;
  std::string hellos;
  for (int i = 0; i < 100; ++i) hellos += "Hello";
  WebSocketShared shared;
  WebSocket codec(shared, agreement(kTakeover));
  EXPECT_EQ(receive(codec, packedFrame(kText, blocks + "\0"s)),
            "text " + hellos);
}

}  // namespace
}  // namespace brigade
