#pragma once

// WebSocketCases: what a client may send, and what the codec makes of it, by
// the sections of RFC 6455; and the frames that they are written with.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade::testing {

inline constexpr WebSocketLimits kSmall{
    .maxMessageSize = 1000, .maxFrameSize = 600, .maxFragments = 4};

// With the limits kSmall.
struct WebSocketCase {
  const char* name;
  std::string bytes;
  std::vector<std::string> messages;
  std::string malformed = {};
  unsigned code = 0;  // of the close frame, where it is malformed
  std::size_t rest = 0;
};

inline std::string text(std::string_view data) {
  return clientFrame(kFin | kText, data);
}
inline std::string binary(std::string_view data) {
  return clientFrame(kFin | kBinary, data);
}
inline std::string ping(std::string_view data) {
  return clientFrame(kFin | kPing, data);
}
inline std::string pong(std::string_view data) {
  return clientFrame(kFin | kPong, data);
}
inline std::string closing(unsigned code, std::string_view reason = {}) {
  return clientFrame(kFin | kClose, closePayload(code, reason));
}
// The first fragment, one in between, the last.
inline std::string begin(unsigned kind, std::string_view data) {
  return clientFrame(kMore | kind, data);
}
inline std::string next(std::string_view data) {
  return clientFrame(kMore | kContinuation, data);
}
inline std::string last(std::string_view data) {
  return clientFrame(kFin | kContinuation, data);
}

inline constexpr const char* kBadCode = "a close code that may not be sent";

extern const std::vector<WebSocketCase> kWebSocketCases;

}  // namespace brigade::testing
