#pragma once

// WebSocketDeflateFixture: what the tests of compressed WebSockets have in
// common: agreements, compressed frames, and a codec that is given some.

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "brigade/Protocol/WebSocket.h"
#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade::testing {

inline constexpr auto kNone = WebSocketContext::kNone;
inline constexpr auto kTakeover = WebSocketContext::kTakeover;

inline WebSocketAgreement agreement(WebSocketContext context, int bits = 15) {
  return {.serverWindowBits = bits,
          .clientWindowBits = bits,
          .serverContext = context,
          .clientContext = context};
}

inline std::string packedFrame(unsigned kind, std::string_view packed) {
  return clientFrame(kFin | kRsv1 | kind, packed);
}

class WebSocketDeflateFixture : public ::testing::Test {
 protected:
  // The one message of the frames.
  std::string receive(WebSocket& codec, const std::string& frames) {
    CodecMemory memory;
    CodecRun run(codec, memory, describeWebSocket);
    run.feed(frames);
    EXPECT_EQ(run.broken(), "");
    EXPECT_EQ(run.result().malformed, "");
    return run.result().messages.size() == 1 ? run.result().messages[0]
                                             : "no message";
  }
};

}  // namespace brigade::testing
