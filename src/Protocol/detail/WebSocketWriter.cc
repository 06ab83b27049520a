#include "brigade/Protocol/detail/WebSocketWriter.h"

#include <stdexcept>
#include <string>

namespace brigade::detail {
namespace {

void checkClose(const WebSocketMessage& message) {
  const bool coded = message.code() != WebSocketCode::kNone;
  if (coded && !WebSocketCode::isSendable(message.code())) {
    throw std::invalid_argument("a close frame cannot carry code " +
                                std::to_string(message.code()));
  }
  if (!coded && !message.data().empty()) {
    throw std::invalid_argument("a close frame with a reason needs a code");
  }
}

}  // namespace

std::size_t writeHeader(char* to, unsigned first, std::size_t length) {
  to[0] = static_cast<char>(first);
  if (length < kLength16) {
    to[1] = static_cast<char>(length);
    return 2;
  }
  const bool fits16 = length <= 0xFFFF;
  const std::size_t size = fits16 ? 2 : 8;
  to[1] = static_cast<char>(fits16 ? kLength16 : kLength64);
  for (std::size_t i = 0; i < size; ++i) {
    to[2 + i] = static_cast<char>(length >> 8 * (size - 1 - i));
  }
  return 2 + size;
}

std::size_t payloadSize(const WebSocketMessage& message) {
  const std::size_t size = message.data().size();
  if (!message.isControl()) return size;
  const bool isClose = message.kind() == WebSocketMessage::Kind::kClose;
  const bool coded = isClose && message.code() != WebSocketCode::kNone;
  if (isClose) checkClose(message);
  const std::size_t whole = size + (coded ? kCodeSize : 0);
  if (whole > kMaxControl) {
    throw std::length_error("a control frame of " + std::to_string(whole) +
                            " bytes: 125 is the most");
  }
  return whole;
}

}  // namespace brigade::detail
