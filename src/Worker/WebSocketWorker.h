#pragma once

// WebSocketWorker: an HttpWorker whose clients may open WebSockets on the same
// port; plain requests go to onRequest as before.
//
//   class Chat : public brigade::WebSocketWorker {
//    public:
//     Chat() : WebSocketWorker("websocket://0.0.0.0:8080") {}
//     void onOpen(brigade::WebSocketConnection& socket,
//                 const brigade::HttpRequest&) override {
//       socket.subscribe("room");
//     }
//     void onMessage(brigade::WebSocketConnection&,
//                    const brigade::WebSocketMessage& message) override {
//       publish("room", message.data());
//     }
//   };
//
// Pings are answered, and close frames; when no byte moved for pingInterval the
// peer is pinged, and given up when none moves for pongTimeout. A drain closes
// with 1001, an exception that leaves a callback with 1011.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocketHandshake.h"
#include "brigade/Worker/HttpWorker.h"
#include "brigade/Worker/WebSocketConnection.h"

namespace brigade {

class WebSocketBroadcast;
namespace detail {
class Topics;
}

class WebSocketWorker : public HttpWorker {
 public:
  explicit WebSocketWorker(std::string address);
  ~WebSocketWorker() override;

  // ---- Settings, besides those of HttpWorker

  WebSocketLimits webSocketLimits;
  WebSocketHandshakeOptions handshake;  // origins, compression
  std::chrono::milliseconds pingInterval{30'000};
  std::chrono::milliseconds pongTimeout{20'000};
  std::chrono::milliseconds closeTimeout{5'000};

  // ---- Callbacks

  // Chooses one of the subprotocols that the client offers, or none. A status
  // of 300-599 refuses the handshake.
  virtual unsigned onHandshake(const HttpRequest&,
                               std::span<const std::string_view> /*offered*/,
                               std::string& /*chosen*/) {
    return 101;
  }
  // `request` is the handshake.
  virtual void onOpen(WebSocketConnection&, const HttpRequest& /*request*/) {}
  // A text or binary message, valid until the callback returns.
  virtual void onMessage(WebSocketConnection&, const WebSocketMessage&) {}
  // It is gone. The code and reason of the peer's close frame; 1006 when it
  // left without one (RFC 6455, 7.1.5).
  virtual void onClose(WebSocketConnection&, std::uint16_t /*code*/,
                       std::string_view /*reason*/) {}
  // As those of Worker, for one that is open. It keeps its topics, and a
  // message that has come in part. One whose messages are compressed with
  // WebSocketContext::kTakeover, or that is closing, is drained.
  virtual std::optional<std::string> onHandover(WebSocketConnection&) {
    return std::string();
  }
  virtual void onAdopt(WebSocketConnection&, std::string_view /*state*/) {}

  // ---- In a worker process

  // Null when it is closed. The pointer is good until the callback returns.
  WebSocketConnection* findWebSocket(ConnectionId id);
  enum class Reach : std::uint8_t {
    kAllProcesses,  // of this Worker
    kThisProcess,   // for what comes to each by another way, in one order
  };
  // To every subscriber of the topic in all processes of this Worker: at once
  // in this one, through the messenger in the others; in each it is framed, and
  // compressed, once. A process for which too much waits is left out
  // (Messenger::Figures::unpublished). What two processes publish may come in
  // either order, and another one in each process. Returns how many in this
  // process were sent it; the others here do not read, and it is dropped.
  std::size_t publish(std::string_view topic, std::string_view text,
                      Reach reach = Reach::kAllProcesses);
  std::size_t publishBinary(std::string_view topic, std::string_view bytes,
                            Reach reach = Reach::kAllProcesses);

 protected:
  void onMessage(TcpConnection& tcp, const Message& message) override;
  void onClose(TcpConnection& tcp) override;
  bool onIdle(TcpConnection& tcp) override;
  void onBufferDrain(TcpConnection& tcp) override;
  void onEnd(TcpConnection& tcp) override;
  Drain onDrain(TcpConnection& tcp) override;
  std::optional<std::string> onHandover(TcpConnection& tcp) override;
  void onAdopt(TcpConnection& tcp, std::string_view state) override;
  std::optional<std::string> saveConnection(TcpConnection& tcp) override;
  void restoreConnection(TcpConnection& tcp, std::string_view saved) override;
  void forgetConnection(TcpConnection& tcp) override;

 private:
  friend class WebSocketConnection;

  void prepareBuiltinsInProcess(detail::WorkerProcess& process) override;
  bool upgrade(HttpConnection& http, const HttpRequest& request) override;
  void open(TcpConnection& tcp, const HttpRequest& request,
            const std::optional<WebSocketAgreement>& compression);
  WebSocketConnection& become(
      TcpConnection& tcp, const std::optional<WebSocketAgreement>& compression);
  void handle(WebSocketConnection& socket, const WebSocketMessage& message);
  std::size_t publish(std::string_view topic, const WebSocketMessage& message,
                      Reach reach);
  void publishToSiblings(std::string_view topic,
                         const WebSocketMessage& message);
  void onPublished(std::string_view news);
  std::size_t deliver(std::string_view topic, const WebSocketMessage& message);
  template <typename Callback>
  void guarded(WebSocketConnection& socket, Callback callback);
  static WebSocketConnection* webSocketOf(TcpConnection& tcp);

  std::unique_ptr<WebSocketShared> webSocketShared_;
  std::unique_ptr<detail::Topics> topics_;
  // Of the broadcast under way; kept for their memory.
  std::unique_ptr<WebSocketBroadcast> broadcast_;
  std::vector<WebSocketConnection*> receivers_;
  detail::WorkerProcess* siblings_ = nullptr;  // leads to the other processes
};

}  // namespace brigade
