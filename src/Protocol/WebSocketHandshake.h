#pragma once

// WebSocketHandshake: whether a request opens a WebSocket (RFC 6455, 4.2), and
// the answer to it. Pure functions on a request that HTTP already accepted.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/WebSocketCompression.h"

namespace brigade {

struct WebSocketHandshakeOptions {
  // Whose pages may connect ("https://example.org", whatever the case); empty:
  // everybody's. A browser always says; "" stands for who does not.
  std::vector<std::string> allowedOrigins;
  // None: compression is declined.
  std::optional<WebSocketCompression> compression;
};

struct WebSocketHandshake {
  // 101, or what the request is refused with: 400, 403, 405, 426.
  unsigned status = 101;
  // Why it is refused; static.
  std::string_view reason;
  // What the refusal must carry; static.
  std::span<const HttpHeader> fields;

  // Sec-WebSocket-Accept.
  std::string accept;
  // The subprotocols that the client offers, the best first; views of the
  // request. Whoever answers chooses one, or none.
  std::vector<std::string_view> protocols;
  // Sec-WebSocket-Extensions; empty without compression.
  std::string extensions;
  std::optional<WebSocketAgreement> compression;

  bool accepted() const { return status == 101; }
};

// Whether the request asks for a WebSocket, be it in order or not. One that
// does not is plain HTTP.
bool wantsWebSocket(std::span<const HttpHeader> headers);

// Throws std::runtime_error where OpenSSL offers no SHA-1.
WebSocketHandshake checkHandshake(const HttpRequest& request,
                                  const WebSocketHandshakeOptions& options);
WebSocketHandshake checkHandshake(std::string_view method,
                                  unsigned minorVersion,
                                  std::span<const HttpHeader> headers,
                                  const WebSocketHandshakeOptions& options);

// Appends the whole response: 101 with the chosen subprotocol and fields of
// the caller's own, or the refusal, behind which the connection ends. Throws
// std::invalid_argument for a subprotocol that was not offered, and appends
// nothing. The caller's fields are not checked.
void appendHandshakeAnswer(Output& out, const WebSocketHandshake& handshake,
                           std::string_view protocol = {},
                           std::span<const HttpHeader> fields = {});

}  // namespace brigade
