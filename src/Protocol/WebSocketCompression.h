#pragma once

// WebSocketCompression: permessage-deflate (RFC 7692): what a server is ready
// to do, and what it agreed on with one client. Values.

#include <cstddef>
#include <cstdint>

namespace brigade {

// Whether a message may refer to those before it. That compresses small ones
// better, and costs each connection its own state: up to 270 KiB to send and
// 40 KiB to receive. Without it all connections of a loop share one.
enum class WebSocketContext : std::uint8_t { kNone, kTakeover };

struct WebSocketCompression {
  int level = 6;        // 1 (fast) to 9 (small)
  int memoryLevel = 8;  // 1 to 9, as zlib knows it
  // The windows that the two sides compress with: 8 (256 bytes) to 15 (32
  // KiB). A client that cannot do with its smaller window is not compressed.
  int serverWindowBits = 15;
  int clientWindowBits = 15;
  WebSocketContext serverContext = WebSocketContext::kNone;
  WebSocketContext clientContext = WebSocketContext::kNone;
  // Shorter messages are sent as they are: they fit one packet of the network
  // either way.
  std::size_t threshold = 1024;
};

// What one connection agreed on.
struct WebSocketAgreement {
  int serverWindowBits = 15;
  int clientWindowBits = 15;
  WebSocketContext serverContext = WebSocketContext::kTakeover;
  WebSocketContext clientContext = WebSocketContext::kTakeover;

  bool operator==(const WebSocketAgreement&) const = default;
};

}  // namespace brigade
