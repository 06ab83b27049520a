#pragma once

// WebSocketWriter: the frames of a server (RFC 6455, 5.2): whole messages, not
// masked, appended to an Output or a std::string. A head is written where it is
// sent from.

#include <cstddef>
#include <string>
#include <string_view>

#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/WebSocketMessage.h"
#include "brigade/Protocol/detail/WebSocketFrame.h"

namespace brigade::detail {

// A header and, of a close frame, its code.
inline constexpr std::size_t kMaxHead = 12;

// The first two bytes and the length; at most 10 bytes.
inline std::size_t writeHeader(char* to, unsigned first, std::size_t length) {
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

// The payload of a control frame. Throws what WebSocket::encode() throws.
std::size_t controlSize(const WebSocketMessage& message);

// At most kMaxHead bytes. Throws as controlSize() does.
inline std::size_t writeHead(char* to, const WebSocketMessage& message) {
  using Kind = WebSocketMessage::Kind;
  const std::size_t size =
      message.isControl() ? controlSize(message) : message.data().size();
  std::size_t used =
      writeHeader(to, kFin | static_cast<unsigned>(message.kind()), size);
  if (message.kind() == Kind::kClose && size != 0) {
    to[used++] = static_cast<char>(message.code() >> 8);
    to[used++] = static_cast<char>(message.code());
  }
  return used;
}

// RFC 7692, 6.1: the header of a message whose payload was compressed.
inline std::size_t writeCompressedHead(char* to, WebSocketMessage::Kind kind,
                                       std::size_t size) {
  return writeHeader(to, kFin | kCompressed | static_cast<unsigned>(kind),
                     size);
}

// Throws as controlSize() does, and appends nothing then.
inline void appendMessage(Output& out, const WebSocketMessage& message) {
  out.commit(writeHead(out.room(kMaxHead), message));
  out.append(message.data());
}

inline void appendMessage(std::string& out, const WebSocketMessage& message) {
  char head[kMaxHead];
  out.append(head, writeHead(head, message)).append(message.data());
}

inline void appendCompressed(Output& out, WebSocketMessage::Kind kind,
                             std::string_view packed) {
  out.commit(writeCompressedHead(out.room(kMaxHead), kind, packed.size()));
  out.append(packed);
}

inline void appendCompressed(std::string& out, WebSocketMessage::Kind kind,
                             std::string_view packed) {
  char head[kMaxHead];
  out.append(head, writeCompressedHead(head, kind, packed.size()));
  out.append(packed);
}

}  // namespace brigade::detail
