#include "brigade/Protocol/WebSocket.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::clientFrame;
using testing::closeFrame;
using testing::closePayload;
using testing::CodecMemory;
using testing::CodecProperty;
using testing::CodecResult;
using testing::CodecRun;
using testing::describeWebSocket;
using testing::kBinary;
using testing::kClose;
using testing::kContinuation;
using testing::kFin;
using testing::kMore;
using testing::kPing;
using testing::kPong;
using testing::kText;
using testing::lastWords;
using testing::serverFrame;
using Strings = std::vector<std::string>;

constexpr WebSocketLimits kSmall{
    .maxMessageSize = 1000, .maxFrameSize = 600, .maxFragments = 4};

struct Case {
  const char* name;
  std::string bytes;
  Strings messages;
  std::string malformed = {};
  unsigned code = 0;  // of the close frame, where it is malformed
  std::size_t rest = 0;
};

std::string text(std::string_view data) {
  return clientFrame(kFin | kText, data);
}
std::string binary(std::string_view data) {
  return clientFrame(kFin | kBinary, data);
}
std::string ping(std::string_view data) {
  return clientFrame(kFin | kPing, data);
}
std::string pong(std::string_view data) {
  return clientFrame(kFin | kPong, data);
}
std::string closing(unsigned code, std::string_view reason = {}) {
  return clientFrame(kFin | kClose, closePayload(code, reason));
}
// The first fragment, one in between, the last.
std::string begin(unsigned kind, std::string_view data) {
  return clientFrame(kMore | kind, data);
}
std::string next(std::string_view data) {
  return clientFrame(kMore | kContinuation, data);
}
std::string last(std::string_view data) {
  return clientFrame(kFin | kContinuation, data);
}

constexpr const char* kReservedBits = "reserved bits are set";
constexpr const char* kReservedOpcode = "a reserved opcode";
constexpr const char* kCutControl = "a fragmented control frame";
constexpr const char* kLongControl = "a control frame longer than 125 bytes";
constexpr const char* kNoStart = "a continuation of no message";
constexpr const char* kNoEnd = "a message inside a fragmented one";
constexpr const char* kUnmasked = "an unmasked frame";
constexpr const char* kLongLength = "a length in more bytes than it takes";
constexpr const char* kHugeLength = "a length with its highest bit set";
constexpr const char* kBadClose = "a close frame of one byte";
constexpr const char* kBadCode = "a close code that may not be sent";
constexpr const char* kBadText = "a text that is not UTF-8";
constexpr const char* kBadReason = "a close reason that is not UTF-8";
constexpr const char* kLongFrame = "a frame longer than maxFrameSize";
constexpr const char* kLongMessage = "a message longer than maxMessageSize";
constexpr const char* kManyFragments = "a message of more than maxFragments";

const std::string k126(126, 'x');

// With the limits kSmall. Sections of RFC 6455.
const std::vector<Case> kCases = {
    {"5.7 a masked text",
     "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s,
     {"text Hello"}},
    {"5.6 an empty text", text(""), {"text "}},
    {"5.6 an empty binary", binary(""), {"binary "}},
    {"5.6 a binary of any bytes",
     binary("\0\xff\x80"s),
     {"binary \0\xff\x80"s}},
    {"5.6 several messages",
     text("a") + binary("b") + text("c"),
     {"text a", "binary b", "text c"}},
    {"5.3 a key of zeros masks nothing",
     clientFrame(kFin | kText, "plain", "\0\0\0\0"s),
     {"text plain"}},
    {"5.3 a key of ones",
     clientFrame(kFin | kText, "plain", "\xff\xff\xff\xff"),
     {"text plain"}},
    {"5.2 the longest length of 7 bits",
     text(std::string(125, 'y')),
     {"text " + std::string(125, 'y')}},
    {"5.2 the shortest length of 16 bits", text(k126), {"text " + k126}},
    {"5.2 a length of 16 bits",
     binary(std::string(600, 'z')),
     {"binary " + std::string(600, 'z')}},
    {"5.5.2 a ping", ping(""), {"ping "}},
    {"5.5.2 a ping with data", ping("\0\xff"s), {"ping \0\xff"s}},
    {"5.5 a ping of 125 bytes",
     ping(std::string(125, 'p')),
     {"ping " + std::string(125, 'p')}},
    {"5.5.3 a pong that nobody asked for", pong("x"), {"pong x"}},

    // 5.4 Fragmentation
    {"5.4 two fragments", begin(kText, "Hel") + last("lo"), {"text Hello"}},
    {"5.4 fragments of a binary",
     begin(kBinary, "\xff") + last("\xfe"),
     {"binary \xff\xfe"}},
    {"5.4 empty fragments", begin(kText, "") + next("") + last(""), {"text "}},
    {"5.4 an empty last fragment", begin(kText, "ab") + last(""), {"text ab"}},
    {"5.4 a ping between fragments",
     begin(kText, "a") + ping("p") + last("b"),
     {"ping p", "text ab"}},
    {"5.4 many control frames between fragments",
     begin(kText, "a") + ping("1") + pong("2") + next("b") + ping("3") +
         last("c"),
     {"ping 1", "pong 2", "ping 3", "text abc"}},
    {"5.4 two fragmented messages",
     begin(kText, "a") + last("b") + begin(kBinary, "c") + last("d"),
     {"text ab", "binary cd"}},
    {"5.4 each fragment has its own key",
     clientFrame(kText, "ab", "abcd") +
         clientFrame(kFin | kContinuation, "cd", "\x80\x81\x82\x83"),
     {"text abcd"}},
    {"5.4 a close between fragments",
     begin(kText, "a") + closing(1001),
     {"close 1001 "}},
    {"5.4 a message that does not end", begin(kText, "a") + next("b"), {}},
    {"5.4 a continuation of nothing", last("a"), {}, kNoStart, 1002},
    {"5.4 a continuation of nothing that goes on",
     next("a"),
     {},
     kNoStart,
     1002},
    {"5.4 a continuation behind a whole message",
     text("a") + last("b"),
     {"text a"},
     kNoStart,
     1002},
    {"5.4 a continuation behind the last fragment",
     begin(kText, "a") + last("b") + last("c"),
     {"text ab"},
     kNoStart,
     1002},
    {"5.4 a text inside a text",
     begin(kText, "a") + text("b"),
     {},
     kNoEnd,
     1002},
    {"5.4 a binary inside a text",
     begin(kText, "a") + binary("b"),
     {},
     kNoEnd,
     1002},
    {"5.4 another beginning",
     begin(kText, "a") + begin(kText, "b"),
     {},
     kNoEnd,
     1002},
    {"5.4 a text inside, behind a ping",
     begin(kText, "a") + ping("p") + text("b"),
     {"ping p"},
     kNoEnd,
     1002},

    // 5.1, 5.3 Masking
    {"5.1 an unmasked text",
     serverFrame(kFin | kText, "Hello"),
     {},
     kUnmasked,
     1002},
    {"5.1 an unmasked ping",
     serverFrame(kFin | kPing, ""),
     {},
     kUnmasked,
     1002},
    {"5.1 an unmasked close",
     serverFrame(kFin | kClose, closePayload(1000)),
     {},
     kUnmasked,
     1002},
    {"5.1 an unmasked frame behind a masked one",
     text("a") + serverFrame(kFin | kText, "b"),
     {"text a"},
     kUnmasked,
     1002},
    {"5.1 an unmasked header is enough", "\x81\x05", {}, kUnmasked, 1002},

    // 5.2 Reserved bits and opcodes
    {"5.2 RSV1", clientFrame(0xC0 | kText, "a"), {}, kReservedBits, 1002},
    {"5.2 RSV2", clientFrame(0xA0 | kText, "a"), {}, kReservedBits, 1002},
    {"5.2 RSV3", clientFrame(0x90 | kText, "a"), {}, kReservedBits, 1002},
    {"5.2 all of them",
     clientFrame(0xF0 | kBinary, ""),
     {},
     kReservedBits,
     1002},
    {"5.2 RSV1 of a ping",
     clientFrame(0xC0 | kPing, ""),
     {},
     kReservedBits,
     1002},
    {"5.2 RSV1 of a continuation",
     begin(kText, "a") + clientFrame(0xC0 | kContinuation, "b"),
     {},
     kReservedBits,
     1002},
    {"5.2 RSV3 behind a message",
     text("a") + clientFrame(0x90 | kClose, ""),
     {"text a"},
     kReservedBits,
     1002},
    {"5.2 the first byte is enough", "\xf1", {}, kReservedBits, 1002, 1},
    {"5.2 opcode 3", clientFrame(kFin | 3, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 4", clientFrame(kFin | 4, "a"), {}, kReservedOpcode, 1002},
    {"5.2 opcode 5", clientFrame(kFin | 5, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 6", clientFrame(kFin | 6, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 7", clientFrame(7, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 11", clientFrame(kFin | 11, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 12", clientFrame(kFin | 12, "a"), {}, kReservedOpcode, 1002},
    {"5.2 opcode 13", clientFrame(kFin | 13, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 14", clientFrame(kFin | 14, ""), {}, kReservedOpcode, 1002},
    {"5.2 opcode 15", clientFrame(15, ""), {}, kReservedOpcode, 1002},
    {"5.2 a reserved opcode inside a message",
     begin(kText, "a") + clientFrame(kFin | 3, ""),
     {},
     kReservedOpcode,
     1002},

    // 5.2 Lengths
    {"5.2 16 bits for 125", "\x82\xfe\0\x7d"s, {}, kLongLength, 1002},
    {"5.2 16 bits for 0", "\x82\xfe\0\0"s, {}, kLongLength, 1002},
    {"5.2 64 bits for 65535",
     "\x82\xff\0\0\0\0\0\0\xff\xff"s,
     {},
     kLongLength,
     1002},
    {"5.2 64 bits for 1", "\x82\xff\0\0\0\0\0\0\0\1"s, {}, kLongLength, 1002},
    {"5.2 the highest bit",
     "\x82\xff\x80\0\0\0\0\0\0\0"s,
     {},
     kHugeLength,
     1002},
    {"5.2 all bits",
     "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"s,
     {},
     kHugeLength,
     1002},

    // 5.5 Control frames
    {"5.5 a ping of 126 bytes", ping(k126), {}, kLongControl, 1002},
    {"5.5 a pong of 126 bytes", pong(k126), {}, kLongControl, 1002},
    {"5.5 a close of 126 bytes",
     closing(1000, std::string(124, 'r')),
     {},
     kLongControl,
     1002},
    {"5.5 a ping in 64 bits", "\x89\xff"s, {}, kLongControl, 1002},
    {"5.5 a fragmented ping", clientFrame(kPing, "a"), {}, kCutControl, 1002},
    {"5.5 a fragmented pong", clientFrame(kPong, ""), {}, kCutControl, 1002},
    {"5.5 a fragmented close", clientFrame(kClose, ""), {}, kCutControl, 1002},

    // 5.5.1, 7.4 Close
    {"5.5.1 a close without a code",
     clientFrame(kFin | kClose, ""),
     {"close 1005 "}},
    {"5.5.1 a close with a code", closing(1000), {"close 1000 "}},
    {"5.5.1 a close with a reason",
     closing(1000, "bye \xe2\x82\xac"),
     {"close 1000 bye \xe2\x82\xac"}},
    {"5.5.1 a reason of 123 bytes",
     closing(4999, std::string(123, 'r')),
     {"close 4999 " + std::string(123, 'r')}},
    {"5.5.1 nothing counts behind a close",
     closing(1000) + text("a") + "\xff\xff rubbish",
     {"close 1000 "}},
    {"5.5.1 half a code",
     clientFrame(kFin | kClose, "\x03"),
     {},
     kBadClose,
     1002},
    {"5.5.1 a reason that is not UTF-8",
     closing(1000, "\xff"),
     {},
     kBadReason,
     1007},
    {"5.5.1 a reason that is cut off",
     closing(1000, "\xe2\x82"),
     {},
     kBadReason,
     1007},
    {"8.1 a reason with a surrogate",
     closing(3000, "a\xed\xa0\x80"),
     {},
     kBadReason,
     1007},

    // 8.1 UTF-8
    {"8.1 a text of characters",
     text("\xce\xba\xe1\xbd\xb9 \xf0\x9f\x98\x80"),
     {"text \xce\xba\xe1\xbd\xb9 \xf0\x9f\x98\x80"}},
    {"8.1 a character across fragments",
     begin(kText, "\xf0\x9f") + next("\x98") + last("\x80"),
     {"text \xf0\x9f\x98\x80"}},
    {"8.1 a ping inside a character",
     begin(kText, "\xe2\x82") + ping("\xff") + last("\xac"),
     {"ping \xff", "text \xe2\x82\xac"}},
    {"8.1 a wrong byte", text("abc\xff"), {}, kBadText, 1007},
    {"8.1 an overlong character", text("\xc0\xaf"), {}, kBadText, 1007},
    {"8.1 a surrogate", text("\xed\xa0\x80"), {}, kBadText, 1007},
    {"8.1 above U+10FFFF", text("\xf4\x90\x80\x80"), {}, kBadText, 1007},
    {"8.1 a text that is cut off", text("abc\xe2\x82"), {}, kBadText, 1007},
    {"8.1 a wrong byte in the first fragment",
     begin(kText, "\xff") + last("b"),
     {},
     kBadText,
     1007},
    {"8.1 a wrong byte in the last fragment",
     begin(kText, "\xe2") + last("a"),
     {},
     kBadText,
     1007},
    {"8.1 fragments that are cut off",
     begin(kText, "a") + last("\xe2\x82"),
     {},
     kBadText,
     1007},
    {"8.1 an empty end inside a character",
     begin(kText, "\xe2\x82") + last(""),
     {},
     kBadText,
     1007},
    {"8.1 a wrong byte before all is there",
     text("\xff" + std::string(100, 'x')).substr(0, 7),
     {},
     kBadText,
     1007,
     7},
    {"8.1 the next text begins anew",
     text("\xe2\x82\xac") + begin(kText, "a") + last("\xc3\xa9") + text("b"),
     {"text \xe2\x82\xac", "text a\xc3\xa9", "text b"}},
    {"8.1 a binary may hold anything",
     begin(kBinary, "\xff") + last("\xe2"),
     {"binary \xff\xe2"}},

    // 10.4 Limits
    {"10.4 a frame at its limit",
     text(std::string(600, 'x')),
     {"text " + std::string(600, 'x')}},
    {"10.4 a frame over its limit", "\x81\xfe\x02\x59"s, {}, kLongFrame, 1009},
    {"10.4 a huge frame",
     "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"s,
     {},
     kLongFrame,
     1009},
    {"10.4 fragments at their limit",
     begin(kBinary, std::string(600, 'x')) + last(std::string(400, 'y')),
     {"binary " + std::string(600, 'x') + std::string(400, 'y')}},
    {"10.4 fragments over their limit",
     begin(kBinary, std::string(600, 'x')) + "\x80\xfe\x01\x91"s,
     {},
     kLongMessage,
     1009},
    {"10.4 as many fragments as may be",
     begin(kText, "a") + next("b") + next("c") + last("d"),
     {"text abcd"}},
    {"10.4 one fragment too many",
     begin(kText, "a") + next("b") + next("c") + next("d") + last("e"),
     {},
     kManyFragments,
     1009},
    {"10.4 control frames are no fragments",
     begin(kText, "a") + ping("1") + ping("2") + ping("3") + ping("4") +
         last("b"),
     {"ping 1", "ping 2", "ping 3", "ping 4", "text ab"}},

    // What is not whole
    {"5.2 one byte of a header", "\x81", {}, "", 0, 1},
    {"5.2 half a length", "\x82\xfe\x01"s, {}, "", 0, 3},
    {"5.2 half a key", "\x81\x85\1\2"s, {}, "", 0, 4},
    {"5.2 half a payload", text("Hello").substr(0, 8), {}, "", 0, 8},
    {"5.2 a message and half a message",
     text("a") + text("b").substr(0, 6),
     {"text a"},
     "",
     0,
     6},
};

class WebSocketCases : public ::testing::Test {
 protected:
  std::unique_ptr<ProtocolInterface> make() {
    return std::make_unique<WebSocket>(shared_);
  }

  // What came of the bytes, and which close code they deserve.
  struct Outcome {
    CodecResult result;
    std::string lastWords;
  };
  Outcome outcome(std::string_view bytes, std::size_t step) {
    WebSocket codec(shared_);
    CodecMemory memory;
    CodecRun run(codec, memory, describeWebSocket);
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      run.feed(bytes.substr(at, step));
    }
    EXPECT_EQ(run.broken(), "");
    return {run.result(), lastWords(codec, Refusal::kMalformed)};
  }

  WebSocketShared shared_{kSmall};
  CodecProperty property_{[this] { return make(); }, describeWebSocket};
};

TEST_F(WebSocketCases, W11_EachGivesItsMessagesAndItsCloseCode) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const std::size_t step : {c.bytes.size(), std::size_t{1}}) {
      const Outcome found = outcome(c.bytes, step);
      EXPECT_EQ(found.result.messages, c.messages);
      EXPECT_EQ(found.result.malformed, c.malformed);
      if (c.malformed.empty()) {
        EXPECT_EQ(found.result.rest, c.rest);
      } else {
        EXPECT_EQ(found.lastWords, closeFrame(c.code));
      }
    }
  }
}

TEST_F(WebSocketCases, HoweverTheyAreCutTheSameComesOut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    property_.holdsFor(c.bytes);
  }
}

TEST_F(WebSocketCases, ThereAreEightyOfThem) { EXPECT_GE(kCases.size(), 80U); }

// RFC 6455, 7.4, and the registry of codes.
TEST_F(WebSocketCases, OnlyCodesThatMayBeSentAreReceived) {
  for (unsigned code = 0; code < 6000; ++code) {
    const bool valid = (code >= 1000 && code <= 1003) ||
                       (code >= 1007 && code <= 1014) ||
                       (code >= 3000 && code <= 4999);
    const Outcome found = outcome(closing(code), 100);
    ASSERT_EQ(found.result.malformed, valid ? "" : kBadCode) << code;
    if (!valid) {
      ASSERT_EQ(found.lastWords, closeFrame(1002)) << code;
    }
  }
}

TEST_F(WebSocketCases, AWrongByteIsRefusedAsSoonAsItIsThere) {
  const std::string bytes =
      text("\xce\xba\xf4\x90\x80\x80 and more").substr(0, 10);
  WebSocket codec(shared_);
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    ASSERT_EQ(codec.input({bytes.data(), size}).kind, Packet::Kind::kMore);
  }
  EXPECT_EQ(codec.input(bytes).kind, Packet::Kind::kMalformed);
}

TEST_F(WebSocketCases, ALengthIsRefusedBeforeTheKeyIsThere) {
  WebSocket codec(shared_);
  EXPECT_EQ(codec.input("\x82\xff\0\0\1\0\0\0\0"s).kind, Packet::Kind::kMore);
  EXPECT_EQ(codec.input("\x82\xff\0\0\1\0\0\0\0\0"s).kind,
            Packet::Kind::kMalformed);
}

TEST_F(WebSocketCases, TheWorkForALongFrameIsLinear) {
  const WebSocketLimits limits{.maxMessageSize = 1 << 20,
                               .maxFrameSize = 1 << 20};
  WebSocketShared shared(limits);
  const CodecProperty property(
      [&] { return std::make_unique<WebSocket>(shared); }, describeWebSocket);
  property.scansOnce(text(std::string(1 << 20, 'x')), 7);
  property.scansOnce(binary(std::string(1 << 20, '\xff')), 7);
}

TEST_F(WebSocketCases, PayloadsOfEverySizeAtEveryCutOfTheirKey) {
  for (std::size_t size = 0; size <= 300; ++size) {
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload += "a\xc3\xa9zq"[i % 5];
    while (!payload.empty() && payload.back() == '\xc3') payload.pop_back();
    const Strings expected = {"text " + payload};
    for (const std::size_t step : {1U, 2U, 3U, 5U, 16U, 17U, 400U}) {
      ASSERT_EQ(outcome(text(payload), step).result.messages, expected) << size;
    }
  }
}

TEST(WebSocket, AMessageMayHave65536Fragments) {
  WebSocketShared shared;
  std::string bytes = begin(kText, "x");
  for (int i = 2; i < 65536; ++i) bytes += next("x");
  const std::string tooMany = bytes + next("x") + last("x");
  bytes += last("x");
  CodecMemory memory;
  for (const bool fits : {true, false}) {
    WebSocket codec(shared);
    Strings messages;
    std::string_view rest = fits ? bytes : tooMany;
    Packet packet = codec.input(rest);
    while (packet.kind == Packet::Kind::kSilent) {
      rest.remove_prefix(packet.length);
      packet = codec.input(rest);
    }
    if (!fits) {
      EXPECT_EQ(packet.kind, Packet::Kind::kMalformed);
      continue;
    }
    ASSERT_EQ(packet.kind, Packet::Kind::kWhole);
    ASSERT_EQ(packet.length, rest.size());
    std::string copy(rest);
    EXPECT_EQ(codec.decode(copy).data(), std::string(65536, 'x'));
  }
}

TEST(WebSocket, W09_FragmentsOfTwoConnectionsDoNotMeet) {
  WebSocketShared shared;
  WebSocket one(shared);
  WebSocket two(shared);
  const auto feed = [](WebSocket& codec, std::string bytes) -> std::string {
    const Packet packet = codec.input(bytes);
    EXPECT_EQ(packet.length, bytes.size());
    if (packet.kind == Packet::Kind::kSilent) return "";
    return describeWebSocket(codec.decode(bytes));
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(feed(one, begin(kText, "one ")), "");
    EXPECT_EQ(feed(two, begin(kText, "two ")), "");
    EXPECT_EQ(feed(one, next("1")), "");
    EXPECT_EQ(feed(two, last("2")), "text two 2");
    EXPECT_EQ(feed(one, last("!")), "text one 1!");
  }
}

TEST(WebSocket, AMessageLiesInThePacket) {
  WebSocketShared shared;
  WebSocket codec(shared);
  std::string bytes = text("in place");
  ASSERT_EQ(codec.input(bytes).kind, Packet::Kind::kWhole);
  const Message message = codec.decode(bytes);
  EXPECT_EQ(message.data(), "in place");
  EXPECT_EQ(message.data().data(), bytes.data() + 6);
}

TEST(WebSocket, TheCodecOfAConnectionIsSmall) {
  EXPECT_LE(sizeof(WebSocket), 96U);
}

}  // namespace
}  // namespace brigade
