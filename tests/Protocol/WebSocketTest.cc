#include "brigade/Protocol/WebSocket.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/Protocol/support/WebSocketCases.h"
#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::begin;
using testing::binary;
using testing::closeFrame;
using testing::closing;
using testing::CodecMemory;
using testing::CodecProperty;
using testing::CodecResult;
using testing::CodecRun;
using testing::describeWebSocket;
using testing::kBadCode;
using testing::kSmall;
using testing::kText;
using testing::kWebSocketCases;
using testing::last;
using testing::lastWords;
using testing::next;
using testing::text;
using testing::WebSocketCase;
using Strings = std::vector<std::string>;

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
  for (const WebSocketCase& c : kWebSocketCases) {
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
  for (const WebSocketCase& c : kWebSocketCases) {
    SCOPED_TRACE(c.name);
    property_.holdsFor(c.bytes);
  }
}

TEST_F(WebSocketCases, ThereAreEightyOfThem) {
  EXPECT_GE(kWebSocketCases.size(), 80U);
}

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
