#include "brigade/Worker/detail/HttpProtocol.h"

#include <span>
#include <utility>

#include "brigade/Worker/detail/HttpBody.h"

namespace brigade::detail {

HttpProtocol::HttpProtocol(HttpWorker& worker, HttpShared& shared)
    : Http(shared), connection_(worker) {}

HttpProtocol::~HttpProtocol() = default;

void HttpProtocol::encodeOther(const Message& message, Output& out) {
  if (!message.is<HandshakeAnswer>()) {
    Http::encodeOther(message, out);
    return;
  }
  const auto& answer = message.as<HandshakeAnswer>();
  const HttpHeader date{"Date", answer.date};
  const std::span<const HttpHeader> fields(&date,
                                           answer.handshake.accepted() ? 0 : 1);
  appendHandshakeAnswer(out, answer.handshake, answer.protocol, fields);
}

void HttpProtocol::refuse(Refusal refusal, Output& out) {
  if (connection_.streaming()) return;
  connection_.worker_.date();
  Http::refuse(refusal, out);
}

}  // namespace brigade::detail
