// Promise: in the steady state a WebSocket message costs no heap allocation,
// neither to be read, whole or in fragments, nor to be sent.

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/WebSocket.h"
#include "tests/support/Allocations.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using testing::clientFrame;
using testing::kBinary;
using testing::kContinuation;
using testing::kFin;
using testing::kMore;
using testing::kPing;
using testing::kText;

// As a connection does it; decoding changes the bytes.
void echoAll(WebSocket& codec, std::string& frames, Output& out) {
  std::span<char> input(frames);
  out.setInput(frames);
  while (!input.empty()) {
    const Packet packet = codec.input({input.data(), input.size()});
    ASSERT_LE(packet.kind, Packet::Kind::kSilent);
    if (packet.kind == Packet::Kind::kWhole) {
      codec.encode(codec.decode(input.first(packet.length)), out);
    }
    input = input.subspan(packet.length);
  }
  EXPECT_FALSE(out.empty());
  out.clear();
}

std::string allKinds() {
  return clientFrame(kFin | kText, "twenty bytes of text") +
         clientFrame(kFin | kBinary, std::string(16 << 10, 'b')) +
         clientFrame(kFin | kPing, "ping") +
         clientFrame(kMore | kText, "one ") +
         clientFrame(kMore | kContinuation, "message ") +
         clientFrame(kFin | kContinuation, "in three");
}

TEST(WebSocketAllocation, AMessageCostsNone) {
  WebSocketShared shared;
  WebSocket codec(shared);
  Output out;
  const std::string frames = allKinds();
  std::string input = frames;
  echoAll(codec, input, out);  // the room that fragments are put together in
  const std::size_t before = test::allocations();
  for (int i = 0; i < 100; ++i) {
    input.assign(frames);
    echoAll(codec, input, out);
  }
  EXPECT_EQ(test::allocations(), before);
}

TEST(WebSocketAllocation, AnIdleCodecOwnsNone) {
  WebSocketShared shared;
  const std::size_t before = test::allocations();
  const WebSocket codec(shared);
  EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace brigade
