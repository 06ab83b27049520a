#pragma once

// WebSocketWriter: the frames of a server (RFC 6455, 5.2): whole messages, not
// masked, appended to an Output or a std::string.

#include <cstddef>
#include <string_view>

#include "brigade/Protocol/WebSocketMessage.h"
#include "brigade/Protocol/detail/WebSocketFrame.h"

namespace brigade::detail {

// The first two bytes and the length; at most 10 bytes.
std::size_t writeHeader(char* to, unsigned first, std::size_t length);

// Of the frame. Throws what WebSocket::encode() throws.
std::size_t payloadSize(const WebSocketMessage& message);

template <typename Sink>
void appendPayload(Sink& out, unsigned first, std::string_view payload) {
  char header[10];
  const std::size_t used = writeHeader(header, first, payload.size());
  out.append(std::string_view(header, used));
  out.append(payload);
}

// RFC 7692, 6.1: a message whose payload was compressed.
template <typename Sink>
void appendCompressed(Sink& out, WebSocketMessage::Kind kind,
                      std::string_view packed) {
  appendPayload(out, kFin | kCompressed | static_cast<unsigned>(kind), packed);
}

// Throws as payloadSize() does, and appends nothing then.
template <typename Sink>
void appendMessage(Sink& out, const WebSocketMessage& message) {
  const std::size_t size = payloadSize(message);
  char header[12];
  std::size_t used =
      writeHeader(header, kFin | static_cast<unsigned>(message.kind()), size);
  if (message.kind() == WebSocketMessage::Kind::kClose && size != 0) {
    header[used++] = static_cast<char>(message.code() >> 8);
    header[used++] = static_cast<char>(message.code());
  }
  out.append(std::string_view(header, used));
  out.append(message.data());
}

}  // namespace brigade::detail
