#include "tests/support/WebSocketPeer.h"

#include <gtest/gtest.h>

namespace brigade::test {
namespace {

std::size_t number(std::string_view bytes) {
  std::size_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string describeClose(std::string_view payload) {
  std::string text = "close";
  if (payload.size() < 2) return text;
  text.append(" ").append(std::to_string(number(payload.substr(0, 2))));
  if (payload.size() > 2) text.append(" ").append(payload.substr(2));
  return text;
}

}  // namespace

std::string webSocketRequest(const std::string& path,
                             const std::string& fields) {
  return "GET " + path +
         " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " +
         std::string(kWebSocketKey) + "\r\n" + fields + "\r\n";
}

std::optional<HttpAnswer> openWebSocket(Wire& wire, const std::string& path,
                                        const std::string& fields) {
  if (!wire.send(webSocketRequest(path, fields))) return std::nullopt;
  return nextAnswer(wire);
}

std::optional<ServerFrame> nextFrame(Wire& wire) {
  if (!wire.receiveAtLeast(2)) return std::nullopt;
  ServerFrame frame;
  frame.first = static_cast<unsigned char>(wire.received()[0]);
  const unsigned second = static_cast<unsigned char>(wire.received()[1]);
  EXPECT_LT(second, 0x80u) << "masked by the server (RFC 6455, 5.1)";
  std::size_t header = 2;
  if (second == 126) header = 4;
  if (second == 127) header = 10;
  if (!wire.receiveAtLeast(header)) return std::nullopt;
  std::size_t length = second;
  if (header > 2) {
    length = number(std::string_view(wire.received()).substr(2, header - 2));
    EXPECT_GT(length, header == 4 ? 125u : 65535u) << "not minimal (5.2)";
  }
  const bool control = (frame.first & 0x08) != 0;
  EXPECT_TRUE(!control || (length <= 125 && (frame.first & 0x80) != 0));
  if (!wire.receiveAtLeast(header + length)) return std::nullopt;
  frame.payload = wire.received().substr(header, length);
  wire.received().erase(0, header + length);
  return frame;
}

std::string nextEvent(Wire& wire) {
  const auto frame = nextFrame(wire);
  if (!frame) return "end";
  switch (frame->first) {
    case 0x81:
      return "text " + frame->payload;
    case 0x82:
      return "binary " + frame->payload;
    case 0x88:
      return describeClose(frame->payload);
    case 0x89:
      return "ping " + frame->payload;
    case 0x8A:
      return "pong " + frame->payload;
    default:
      return "frame " + std::to_string(frame->first);
  }
}

}  // namespace brigade::test
