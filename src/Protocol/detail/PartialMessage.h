#pragma once

// PartialMessage: what a WebSocket codec keeps of a fragmented message.

#include <cstdint>

#include "brigade/Protocol/WebSocketMessage.h"
#include "brigade/Protocol/detail/Buffer.h"

namespace brigade::detail {

struct PartialMessage {
  Buffer data;
  std::uint32_t fragments = 0;
  bool compressed = false;
  WebSocketMessage::Kind kind = WebSocketMessage::Kind::kText;
};

}  // namespace brigade::detail
