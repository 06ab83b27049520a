#pragma once

// WebSocketBroadcast: one message for many connections, each of which may have
// agreed on another compression. A frame is made when the first asks for it:
// one as it is, and one for each size of window, which is compressed by itself
// (RFC 7692, 7.1.1.1 lets a server that may refer to earlier messages do so).
// So it costs as many compressions as there are sizes, however many connections
// there are. Not installed: programs publish.

#include <array>
#include <string>
#include <string_view>

#include "brigade/Protocol/WebSocketMessage.h"

namespace brigade {

class WebSocket;

class WebSocketBroadcast {
 public:
  // The bytes of the message are needed until the last frameFor(); the memory
  // of frames before is used again.
  void begin(const WebSocketMessage& message);

  // What carries the message to this receiver, to be sent as it is, at once or
  // not at all; good until end() or the next begin(). Throws as
  // WebSocket::encode() does.
  std::string_view frameFor(WebSocket& receiver);

  // Forgets the frames, and the memory of large ones.
  void end();

 private:
  std::string_view plain();

  WebSocketMessage message_;
  // Empty until they are made.
  std::string plain_;
  std::array<std::string, 16> packed_;  // by window bits
};

}  // namespace brigade
