#pragma once

// WebSocketPeer: a client that opens a WebSocket and reads its frames strictly
// (RFC 6455): what a server may not send is a failure of the test.

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/HttpAnswer.h"
#include "tests/support/Wire.h"

namespace brigade::test {

// The nonce of RFC 6455, 1.3, and what its answer must be.
inline constexpr std::string_view kWebSocketKey = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view kWebSocketAccept =
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// The request with more fields of the test's own.
std::string webSocketRequest(const std::string& path = "/",
                             const std::string& fields = {});

// Sends it and takes the answer.
std::optional<HttpAnswer> openWebSocket(Wire& wire,
                                        const std::string& path = "/",
                                        const std::string& fields = {});

struct ServerFrame {
  unsigned first = 0;  // FIN, RSV bits and opcode
  std::string payload;
};

// Nothing when the server closes before a whole one.
std::optional<ServerFrame> nextFrame(Wire& wire);

// The next frame: "text hello", "binary x", "ping x", "pong x", "close 1002",
// "close 1000 bye", or "end" when there is none.
std::string nextEvent(Wire& wire);

}  // namespace brigade::test
