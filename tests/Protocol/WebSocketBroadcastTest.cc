#include "brigade/Protocol/WebSocketBroadcast.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/Protocol/WebSocketDeflateFixture.h"
#include "tests/support/Allocations.h"
#include "tests/support/ClientDeflate.h"
#include "tests/support/Deflated.h"

namespace brigade {
namespace {

using test::noiseOf;
using test::proseOf;
using test::Unpacker;
using testing::agreement;
using testing::CodecProperty;
using testing::kFin;
using testing::kNone;
using testing::kRsv1;
using testing::kTakeover;
using testing::kText;
using testing::serverFrame;

class WebSocketBroadcastTest : public ::testing::Test {
 protected:
  // What a compressed frame carries.
  static std::string payload(std::string_view frame) {
    EXPECT_EQ(static_cast<unsigned char>(frame[0]), kFin | kRsv1 | kText);
    const std::size_t header = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    return std::string(frame.substr(header));
  }

  std::string frameFor(WebSocket& codec, const std::string& text) {
    broadcast_.begin(WebSocketMessage::text(text));
    return std::string(broadcast_.frameFor(codec));
  }

  WebSocketShared shared_{{}, {.threshold = 100}};
  WebSocketBroadcast broadcast_;
};

TEST_F(WebSocketBroadcastTest, AThousandReceiversCostOneCompression) {
  const std::string text = proseOf(5000);
  std::vector<std::unique_ptr<WebSocket>> receivers;
  for (int i = 0; i < 1000; ++i) {
    receivers.push_back(std::make_unique<WebSocket>(
        shared_, agreement(i % 2 == 0 ? kNone : kTakeover)));
  }
  const std::size_t before = test::deflatedBytes();
  broadcast_.begin(WebSocketMessage::text(text));
  const std::string_view first = broadcast_.frameFor(*receivers[0]);
  for (const auto& receiver : receivers) {
    const std::string_view frame = broadcast_.frameFor(*receiver);
    ASSERT_EQ(frame.data(), first.data());
    ASSERT_EQ(frame.size(), first.size());
  }
  EXPECT_EQ(test::deflatedBytes() - before, text.size());
  EXPECT_EQ(Unpacker(15).unpack(payload(first)), text);
}

TEST_F(WebSocketBroadcastTest, TenThousandReceiversCostOneFrame) {
  const std::string text(5000, 'x');
  std::vector<std::unique_ptr<WebSocket>> receivers;
  for (int i = 0; i < 10'000; ++i) {
    receivers.push_back(std::make_unique<WebSocket>(shared_));
  }
  broadcast_.begin(WebSocketMessage::text(text));
  const std::size_t before = test::allocations();
  const std::string_view first = broadcast_.frameFor(*receivers[0]);
  const std::size_t cost = test::allocations() - before;
  for (const auto& one : receivers) {
    const std::string_view frame = broadcast_.frameFor(*one);
    ASSERT_EQ(frame.data(), first.data());
    ASSERT_EQ(frame.size(), first.size());
  }
  EXPECT_EQ(test::allocations() - before, cost);
  EXPECT_EQ(first, serverFrame(0x81, text));
}

TEST_F(WebSocketBroadcastTest, TheMemoryOfLargeFramesGoesWithItsEnd) {
  const auto allocated = [] {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  WebSocket plain(shared_);
  WebSocket compressed(shared_, agreement(kNone));
  frameFor(compressed, proseOf(5000));
  const std::string text = proseOf(8 << 20);
  const std::size_t before = allocated();
  broadcast_.begin(WebSocketMessage::text(text));
  EXPECT_GT(broadcast_.frameFor(plain).size(), text.size());
  EXPECT_GT(broadcast_.frameFor(compressed).size(), 1u << 20);
  broadcast_.end();
  EXPECT_LE(allocated(), before + (1 << 20));
}

TEST_F(WebSocketBroadcastTest, EachSizeOfWindowCostsOneMore) {
  const std::string text = proseOf(5000);
  const std::size_t before = test::deflatedBytes();
  broadcast_.begin(WebSocketMessage::text(text));
  for (int round = 0; round < 3; ++round) {
    for (int bits = 8; bits <= 15; ++bits) {
      SCOPED_TRACE(bits);
      WebSocket receiver(shared_, agreement(kNone, bits));
      const auto frame = broadcast_.frameFor(receiver);
      EXPECT_EQ(Unpacker(bits).unpack(payload(frame)), text);
    }
  }
  EXPECT_EQ(test::deflatedBytes() - before, 8 * text.size());
}

TEST_F(WebSocketBroadcastTest, WhoAgreedOnNothingGetsItAsItIs) {
  const std::string text = proseOf(5000);
  WebSocket plain(shared_);
  WebSocket compressed(shared_, agreement(kNone));
  broadcast_.begin(WebSocketMessage::text(text));
  EXPECT_EQ(broadcast_.frameFor(plain), serverFrame(0x81, text));
  EXPECT_LT(broadcast_.frameFor(compressed).size(), text.size());
  EXPECT_EQ(broadcast_.frameFor(plain), serverFrame(0x81, text));
}

TEST_F(WebSocketBroadcastTest, ShortMessagesAndNoiseAreSentAsTheyAre) {
  WebSocket codec(shared_, agreement(kTakeover));
  const std::string shorter(99, 'x');
  const std::string noise = noiseOf(5000);
  EXPECT_EQ(frameFor(codec, shorter), serverFrame(0x81, shorter));
  EXPECT_EQ(frameFor(codec, noise), serverFrame(0x81, noise));
  EXPECT_EQ(frameFor(codec, ""), serverFrame(0x81, ""));
}

// The client's window holds what was published too, the stream that the
// connection's own messages come from does not.
TEST_F(WebSocketBroadcastTest, OwnMessagesAndPublishedOnesMayAlternate) {
  for (int bits = 8; bits <= 15; ++bits) {
    SCOPED_TRACE(bits);
    WebSocket codec(shared_, agreement(kTakeover, bits));
    Unpacker client(bits);
    for (unsigned i = 0; i < 10; ++i) {
      const std::string own = proseOf(3000) + std::to_string(i);
      const std::string published = proseOf(2000 + i) + " to all";
      ASSERT_EQ(client.unpack(payload(CodecProperty::encoded(codec, own))),
                own);
      if (i % 3 == 0) continue;
      ASSERT_EQ(client.unpack(payload(frameFor(codec, published))), published);
    }
  }
}

TEST_F(WebSocketBroadcastTest, OwnMessagesStillReferToThoseBefore) {
  WebSocket codec(shared_, agreement(kTakeover));
  const std::string noise = noiseOf(5000);
  frameFor(codec, proseOf(1000));
  EXPECT_GT(CodecProperty::encoded(codec, noise).size(), noise.size());
  EXPECT_LT(CodecProperty::encoded(codec, noise).size(), 100u);
}

TEST_F(WebSocketBroadcastTest, WhatNoFrameMayCarryThrows) {
  WebSocket codec(shared_);
  broadcast_.begin(WebSocketMessage::ping(std::string(126, 'x')));
  EXPECT_THROW(broadcast_.frameFor(codec), std::length_error);
  EXPECT_EQ(frameFor(codec, "Hello"), "\x81\x05Hello");
}

}  // namespace
}  // namespace brigade
