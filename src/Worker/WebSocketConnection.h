#pragma once

// WebSocketConnection: one WebSocket of a WebSocketWorker (RFC 6455). A
// reference is good inside a callback; keep id() and ask
// WebSocketWorker::findWebSocket() to reach it later.
//
//   open --close() or the peer's close--> closing --both said it--> closed
//
// Control messages (ping, pong, close) are never dropped for want of room.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Connection/TcpConnection.h"
#include "brigade/Protocol/WebSocket.h"
#include "brigade/Protocol/WebSocketMessage.h"

namespace brigade {

class StateReader;
class StateWriter;
class WebSocketWorker;
namespace detail {
class Topic;
}

class WebSocketConnection final : private WebSocket {
  using WebSocket::restore;
  using WebSocket::save;

  // What only a WebSocketWorker has.
  class Key {
    friend class WebSocketWorker;
    Key() = default;
  };

 public:
  WebSocketConnection(Key, WebSocketWorker& worker, WebSocketShared& shared,
                      TcpConnection& tcp);
  WebSocketConnection(Key, WebSocketWorker& worker, WebSocketShared& shared,
                      TcpConnection& tcp,
                      const WebSocketAgreement& compression);
  ~WebSocketConnection() override;

  // A text, which the caller guarantees to be UTF-8. kSent, kQueued or, when
  // the peer does not read or the closing has begun, kDropped.
  SendResult send(std::string_view text);
  SendResult sendBinary(std::string_view bytes);
  SendResult ping(std::string_view data = {});
  // Says goodbye and waits for the peer's, for WebSocketWorker::closeTimeout.
  // Throws std::invalid_argument for a code that no close frame may carry, and
  // std::length_error for a reason over 123 bytes (ping(): data over 125).
  void close(std::uint16_t code = WebSocketCode::kNormal,
             std::string_view reason = {});

  // To what publish() sends to that topic, in this worker process, until it is
  // unsubscribed or closed. Twice is once; in onClose it is too late.
  void subscribe(std::string_view topic);
  void unsubscribe(std::string_view topic);

  // True until close() or the peer's close frame.
  bool isOpen() const { return !closeSent() && !closeReceived(); }

  ConnectionId id() const { return tcp_.id(); }
  std::string remoteAddress() const { return tcp_.remoteAddress(); }
  std::string remoteIp() const { return tcp_.remoteIp(); }
  // The program's own state, as TcpConnection's.
  template <typename T>
  T& context() {
    return tcp_.context<T>();
  }
  TcpConnection& tcp() { return tcp_; }

 private:
  friend class WebSocketWorker;
  friend class detail::Topic;

  // Where this connection stands in the list of a topic.
  struct Place {
    detail::Topic* topic;
    std::size_t position;
  };
  struct Goodbye {
    std::uint16_t code;
    std::string reason;
  };

  void leaveTopics();
  // For another process: what was agreed on, topics, and whether a pong is
  // waited for.
  void save(StateWriter& state) const;
  static std::optional<WebSocketAgreement> savedAgreement(StateReader& state);
  void restore(StateReader& state);

  WebSocketWorker& worker_;
  TcpConnection& tcp_;
  std::unique_ptr<std::vector<Place>> places_;
  std::unique_ptr<Goodbye> goodbye_;  // the peer's
  bool pinged_ = false;               // and not heard since
};

}  // namespace brigade
