#include "brigade/Worker/WebSocketConnection.h"

#include "brigade/Protocol/SavedState.h"
#include "brigade/Worker/WebSocketWorker.h"
#include "brigade/Worker/detail/Topics.h"

namespace brigade {

WebSocketConnection::WebSocketConnection(Key, WebSocketWorker& worker,
                                         WebSocketShared& shared,
                                         TcpConnection& tcp)
    : WebSocket(shared), worker_(worker), tcp_(tcp) {}

WebSocketConnection::WebSocketConnection(Key, WebSocketWorker& worker,
                                         WebSocketShared& shared,
                                         TcpConnection& tcp,
                                         const WebSocketAgreement& compression)
    : WebSocket(shared, compression), worker_(worker), tcp_(tcp) {}

WebSocketConnection::~WebSocketConnection() = default;

SendResult WebSocketConnection::send(std::string_view text) {
  if (!isOpen()) return SendResult::kDropped;
  return tcp_.send(WebSocketMessage::text(text).message());
}

SendResult WebSocketConnection::sendBinary(std::string_view bytes) {
  if (!isOpen()) return SendResult::kDropped;
  return tcp_.send(WebSocketMessage::binary(bytes).message());
}

SendResult WebSocketConnection::ping(std::string_view data) {
  if (!isOpen()) return SendResult::kDropped;
  return tcp_.sendAlways(WebSocketMessage::ping(data).message());
}

void WebSocketConnection::close(std::uint16_t code, std::string_view reason) {
  if (closeSent()) return;
  tcp_.sendAlways(WebSocketMessage::close(code, reason).message());
  // Not the idle time-out: whatever the peer goes on to say prolongs that.
  worker_.addTimer(worker_.closeTimeout, Repeat::kOnce,
                   [&worker = worker_, id = id()] {
                     if (auto* late = worker.findWebSocket(id)) {
                       late->tcp_.close();
                     }
                   });
}

void WebSocketConnection::subscribe(std::string_view topic) {
  if (tcp_.status() == TcpConnection::Status::kEstablished) {
    worker_.topics_->subscribe(topic, *this);
  }
}

void WebSocketConnection::unsubscribe(std::string_view topic) {
  worker_.topics_->unsubscribe(topic, *this);
}

void WebSocketConnection::leaveTopics() {
  while (places_ && !places_->empty()) {
    detail::Topic& topic = *places_->back().topic;
    topic.remove(*this);
    worker_.topics_->forgetIfEmpty(topic);
  }
}

void WebSocketConnection::save(StateWriter& state) const {
  const WebSocketAgreement* const agreed = agreement();
  state.put(std::uint8_t{agreed != nullptr});
  if (agreed != nullptr) {
    state.put(std::int32_t{agreed->serverWindowBits});
    state.put(std::int32_t{agreed->clientWindowBits});
  }
  const std::size_t topics = places_ ? places_->size() : 0;
  state.put(static_cast<std::uint32_t>(topics));
  for (std::size_t i = 0; i < topics; ++i) {
    state.putBytes((*places_)[i].topic->name());
  }
  state.put(std::uint8_t{pinged_});
}

// One with context is not saved: see WebSocket::save().
std::optional<WebSocketAgreement> WebSocketConnection::savedAgreement(
    StateReader& state) {
  if (state.get<std::uint8_t>() == 0) return std::nullopt;
  WebSocketAgreement agreed;
  agreed.serverWindowBits = state.get<std::int32_t>();
  agreed.clientWindowBits = state.get<std::int32_t>();
  agreed.serverContext = WebSocketContext::kNone;
  agreed.clientContext = WebSocketContext::kNone;
  return agreed;
}

void WebSocketConnection::restore(StateReader& state) {
  for (auto left = state.get<std::uint32_t>(); left > 0; --left) {
    subscribe(state.getBytes());
  }
  pinged_ = state.get<std::uint8_t>() != 0;
  if (pinged_) tcp_.setIdleTimeout(worker_.pongTimeout);
}

}  // namespace brigade
