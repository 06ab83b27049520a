#pragma once

// HttpProtocol: the codec of an HTTP connection and, in the same object, what
// the program sees of it.

#include <memory>
#include <string_view>

#include "brigade/Protocol/Http.h"
#include "brigade/Protocol/WebSocketHandshake.h"
#include "brigade/Worker/HttpConnection.h"

namespace brigade::detail {

// What a request to open a WebSocket is answered with.
struct HandshakeAnswer {
  const WebSocketHandshake& handshake;
  std::string_view protocol;  // the subprotocol that was chosen
  std::string_view date;      // RFC 9110, 6.6.1: in every 4xx
};

class HttpProtocol final : public Http {
 public:
  HttpProtocol(HttpWorker& worker, HttpShared& shared);
  ~HttpProtocol() override;

  HttpConnection& connection() { return connection_; }

  // Nothing into an answer that has begun: the connection's end says it.
  void refuse(Refusal refusal, Output& out) override;

 private:
  // HandshakeAnswer too.
  void encodeOther(const Message& message, Output& out) override;

  HttpConnection connection_;
};

}  // namespace brigade::detail
