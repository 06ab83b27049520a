#pragma once

// WebSocketFrames: the frames a client sends (RFC 6455, 5.2), right ones and
// wrong ones, and messages as texts.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "brigade/Protocol/Message.h"
#include "brigade/Protocol/WebSocketMessage.h"

namespace brigade::testing {

// Of the first byte: its bits, and opcodes.
constexpr unsigned kFin = 0x80;
constexpr unsigned kMore = 0;  // no FIN
constexpr unsigned kRsv1 = 0x40;
constexpr unsigned kContinuation = 0;
constexpr unsigned kText = 1;
constexpr unsigned kBinary = 2;
constexpr unsigned kClose = 8;
constexpr unsigned kPing = 9;
constexpr unsigned kPong = 10;

// The second byte of a header and the length behind it.
inline std::string frameLength(std::size_t length, unsigned masked = 0x80) {
  std::string bytes;
  const auto add = [&](std::uint64_t value, unsigned size) {
    while (size-- > 0) bytes += static_cast<char>(value >> 8 * size);
  };
  if (length < 126) {
    add(masked | length, 1);
  } else if (length <= 0xFFFF) {
    add(masked | 126, 1);
    add(length, 2);
  } else {
    add(masked | 127, 1);
    add(length, 8);
  }
  return bytes;
}

inline std::string maskedWith(std::string_view key, std::string_view payload) {
  std::string masked(payload);
  for (std::size_t i = 0; i < masked.size(); ++i) {
    masked[i] = static_cast<char>(masked[i] ^ key[i % 4]);
  }
  return masked;
}

constexpr std::string_view kMaskKey = "\x37\xfa\x21\x3d";  // RFC 6455, 5.7

// `first`: FIN, RSV bits and opcode.
inline std::string clientFrame(unsigned first, std::string_view payload,
                               std::string_view key = kMaskKey) {
  return static_cast<char>(first) + frameLength(payload.size()) +
         std::string(key) + maskedWith(key, payload);
}

inline std::string serverFrame(unsigned first, std::string_view payload) {
  return static_cast<char>(first) + frameLength(payload.size(), 0) +
         std::string(payload);
}

// What a close frame carries.
inline std::string closePayload(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code)} +
         std::string(reason);
}

// A close frame of a server, without a reason.
inline std::string closeFrame(unsigned code) {
  return serverFrame(kFin | kClose, closePayload(code));
}

// "text hello", "close 1000 bye".
inline std::string describeWebSocket(const Message& message) {
  using Kind = WebSocketMessage::Kind;
  const auto& object = message.as<WebSocketMessage>();
  const std::string data(object.data());
  switch (object.kind()) {
    case Kind::kText:
      return "text " + data;
    case Kind::kBinary:
      return "binary " + data;
    case Kind::kPing:
      return "ping " + data;
    case Kind::kPong:
      return "pong " + data;
    case Kind::kClose:
      break;
  }
  return "close " + std::to_string(object.code()) + " " + data;
}

}  // namespace brigade::testing
