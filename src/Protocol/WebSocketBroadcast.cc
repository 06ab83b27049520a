#include "brigade/Protocol/WebSocketBroadcast.h"

#include <cstddef>

#include "brigade/Protocol/WebSocket.h"
#include "brigade/Protocol/detail/WebSocketDeflate.h"
#include "brigade/Protocol/detail/WebSocketWriter.h"

namespace brigade {
namespace {

// A frame longer than this is not kept for its memory.
constexpr std::size_t kKeep = 64 << 10;

void forget(std::string& frame) {
  frame.clear();
  if (frame.capacity() > kKeep) frame.shrink_to_fit();
}

bool isCompressed(std::string_view frame) {
  return (static_cast<unsigned char>(frame[0]) & detail::kCompressed) != 0;
}

}  // namespace

void WebSocketBroadcast::begin(const WebSocketMessage& message) {
  end();
  message_ = message;
}

void WebSocketBroadcast::end() {
  message_ = {};
  forget(plain_);
  for (std::string& frame : packed_) forget(frame);
}

std::string_view WebSocketBroadcast::plain() {
  if (plain_.empty()) detail::appendMessage(plain_, message_);
  return plain_;
}

std::string_view WebSocketBroadcast::frameFor(WebSocket& receiver) {
  if (!receiver.compresses(message_)) return plain();
  detail::WebSocketDeflate& deflate = *receiver.deflate_;
  const int bits = deflate.agreed.serverWindowBits;
  std::string& frame = packed_.at(static_cast<std::size_t>(bits));
  if (frame.empty()) {
    const std::string_view packed =
        receiver.shared_.pack(message_.data(), bits);
    if (packed.size() < message_.data().size()) {
      detail::appendCompressed(frame, message_.kind(), packed);
    } else {
      frame = plain();
    }
    receiver.shared_.deflate().forgetLarge();
  }
  // Its own stream has not seen what its window will hold.
  if (isCompressed(frame)) deflate.startsAnew = true;
  return frame;
}

}  // namespace brigade
