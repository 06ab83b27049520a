#include "brigade/Protocol/detail/WebSocketWriter.h"

#include <stdexcept>

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

std::size_t controlSize(const WebSocketMessage& message) {
  const bool isClose = message.kind() == WebSocketMessage::Kind::kClose;
  const bool coded = isClose && message.code() != WebSocketCode::kNone;
  if (isClose) checkClose(message);
  const std::size_t whole = message.data().size() + (coded ? kCodeSize : 0);
  if (whole > kMaxControl) {
    throw std::length_error("a control frame of " + std::to_string(whole) +
                            " bytes: 125 is the most");
  }
  return whole;
}

}  // namespace brigade::detail
