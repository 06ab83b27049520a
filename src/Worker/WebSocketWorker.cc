#include "brigade/Worker/WebSocketWorker.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>

#include "brigade/Protocol/SavedState.h"
#include "brigade/Protocol/WebSocketBroadcast.h"
#include "brigade/Worker/detail/HttpProtocol.h"
#include "brigade/Worker/detail/Topics.h"
#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade {
namespace {

// In front of the topic and the data of what another process has published.
struct News {
  std::uint32_t topicSize;
  std::uint32_t isText;
};

// What onHandshake said in place of 101.
void decline(WebSocketHandshake& answer) {
  if (answer.status < 300 || answer.status > 599) {
    throw std::invalid_argument("onHandshake: status " +
                                std::to_string(answer.status) +
                                " is neither 101 nor 300-599");
  }
  answer.reason = "the server declines";
}

}  // namespace

WebSocketWorker::WebSocketWorker(std::string where)
    : HttpWorker(std::move(where)),
      topics_(std::make_unique<detail::Topics>()) {
  registerHttp("websocket");
}

WebSocketWorker::~WebSocketWorker() = default;

void WebSocketWorker::prepareBuiltinsInProcess(detail::WorkerProcess& process) {
  HttpWorker::prepareBuiltinsInProcess(process);
  siblings_ = &process;
  process.mailbox().onPublished(
      [this](std::string_view news) { onPublished(news); });
}

// Null for a connection that speaks HTTP still.
WebSocketConnection* WebSocketWorker::webSocketOf(TcpConnection& tcp) {
  ProtocolInterface& protocol = tcp.protocol();
  return typeid(protocol) == typeid(WebSocketConnection)
             ? static_cast<WebSocketConnection*>(&protocol)
             : nullptr;
}

WebSocketConnection* WebSocketWorker::findWebSocket(ConnectionId id) {
  TcpConnection* const tcp = find(id);
  return tcp == nullptr ? nullptr : webSocketOf(*tcp);
}

// ---- The handshake

bool WebSocketWorker::upgrade(HttpConnection& http,
                              const HttpRequest& request) {
  if (!wantsWebSocket(request.headers())) return false;
  WebSocketHandshake answer = checkHandshake(request, handshake);
  std::string protocol;
  if (answer.accepted()) {
    answer.status = onHandshake(request, answer.protocols, protocol);
    if (!answer.accepted()) decline(answer);
  }
  TcpConnection& tcp = http.tcp();
  tcp.send(Message::of(detail::HandshakeAnswer{answer, protocol, date()}));
  if (answer.accepted()) {
    open(tcp, request, answer.compression);
    WebSocketConnection* const socket = webSocketOf(tcp);
    if (http.draining_) socket->close(WebSocketCode::kGoingAway);
  } else {
    tcp.close();
  }
  return true;
}

void WebSocketWorker::open(
    TcpConnection& tcp, const HttpRequest& request,
    const std::optional<WebSocketAgreement>& compression) {
  WebSocketConnection& socket = become(tcp, compression);
  guarded(socket, [&] { onOpen(socket, request); });
}

WebSocketConnection& WebSocketWorker::become(
    TcpConnection& tcp, const std::optional<WebSocketAgreement>& compression) {
  if (!webSocketShared_) {
    webSocketShared_ = std::make_unique<WebSocketShared>(
        webSocketLimits,
        handshake.compression.value_or(WebSocketCompression()));
  }
  const WebSocketConnection::Key key;
  const auto codec = compression
                         ? std::make_shared<WebSocketConnection>(
                               key, *this, *webSocketShared_, tcp, *compression)
                         : std::make_shared<WebSocketConnection>(
                               key, *this, *webSocketShared_, tcp);
  WebSocketConnection& socket = *codec;
  ProtocolInterface* const asCodec = codec.get();
  tcp.setProtocol({codec, asCodec});
  tcp.setMaxPackageSize(socket.longestFrame());
  // A large message over a slow line takes its time.
  tcp.setPackageTimed(false);
  tcp.setIdleTimeout(pingInterval);
  return socket;
}

// ---- From the connection

void WebSocketWorker::onMessage(TcpConnection& tcp, const Message& message) {
  if (!message.is<WebSocketMessage>()) {
    HttpWorker::onMessage(tcp, message);
    return;
  }
  auto& socket = static_cast<WebSocketConnection&>(tcp.protocol());
  if (std::exchange(socket.pinged_, false)) tcp.setIdleTimeout(pingInterval);
  handle(socket, message.as<WebSocketMessage>());
}

void WebSocketWorker::handle(WebSocketConnection& socket,
                             const WebSocketMessage& message) {
  using Kind = WebSocketMessage::Kind;
  switch (message.kind()) {
    case Kind::kText:
    case Kind::kBinary:
      if (socket.closeSent()) return;
      guarded(socket, [&] { onMessage(socket, message); });
      break;
    case Kind::kPing:
      if (socket.closeSent()) return;
      socket.tcp_.sendAlways(WebSocketMessage::pong(message.data()).message());
      break;
    case Kind::kPong:
      break;
    case Kind::kClose:
      socket.goodbye_ = std::make_unique<WebSocketConnection::Goodbye>(
          WebSocketConnection::Goodbye{message.code(),
                                       std::string(message.data())});
      // The echo; the server is the first to close (RFC 6455, 7.1.1).
      if (!socket.closeSent()) {
        socket.tcp_.sendAlways(
            WebSocketMessage::close(message.code()).message());
      }
      socket.tcp_.close();
      break;
  }
}

// Closes with 1011, and the connection counts and logs what was thrown.
template <typename Callback>
void WebSocketWorker::guarded(WebSocketConnection& socket, Callback callback) {
  try {
    callback();
  } catch (...) {
    socket.close(WebSocketCode::kInternalError);
    throw;
  }
}

void WebSocketWorker::onClose(TcpConnection& tcp) {
  WebSocketConnection* const socket = webSocketOf(tcp);
  if (socket == nullptr) {
    HttpWorker::onClose(tcp);
    return;
  }
  socket->leaveTopics();
  const auto* const goodbye = socket->goodbye_.get();
  onClose(*socket, goodbye == nullptr ? 1006 : goodbye->code,
          goodbye == nullptr ? std::string_view() : goodbye->reason);
}

bool WebSocketWorker::onIdle(TcpConnection& tcp) {
  WebSocketConnection* const socket = webSocketOf(tcp);
  if (socket == nullptr) return HttpWorker::onIdle(tcp);
  if (!socket->isOpen() || socket->pinged_) return false;
  socket->ping();
  socket->pinged_ = true;
  tcp.setIdleTimeout(pongTimeout);
  return true;
}

void WebSocketWorker::onBufferDrain(TcpConnection& tcp) {
  if (webSocketOf(tcp) == nullptr) {
    HttpWorker::onBufferDrain(tcp);
  } else {
    tcp.resumeRecv();
  }
}

void WebSocketWorker::onEnd(TcpConnection& tcp) {
  if (webSocketOf(tcp) == nullptr) {
    HttpWorker::onEnd(tcp);
  } else {
    tcp.close();
  }
}

Drain WebSocketWorker::onDrain(TcpConnection& tcp) {
  WebSocketConnection* const socket = webSocketOf(tcp);
  if (socket == nullptr) return HttpWorker::onDrain(tcp);
  socket->close(WebSocketCode::kGoingAway);
  return Drain::kByItself;
}

// ---- To another process

// Of what is neither HTTP nor a WebSocket.
std::optional<std::string> WebSocketWorker::onHandover(TcpConnection& tcp) {
  return HttpWorker::onHandover(tcp);
}

void WebSocketWorker::onAdopt(TcpConnection& tcp, std::string_view state) {
  HttpWorker::onAdopt(tcp, state);
}

std::optional<std::string> WebSocketWorker::saveConnection(TcpConnection& tcp) {
  WebSocketConnection* const socket = webSocketOf(tcp);
  StateWriter state;
  state.put(std::uint8_t{socket != nullptr});
  if (socket == nullptr) {
    const std::optional<std::string> saved = HttpWorker::saveConnection(tcp);
    if (!saved) return std::nullopt;
    state.putBytes(*saved);
    return state.take();
  }
  const std::optional<std::string> codec = tcp.protocol().save();
  if (!codec) return std::nullopt;
  const std::optional<std::string> own = onHandover(*socket);
  if (!own) return std::nullopt;
  socket->save(state);
  state.putBytes(*codec);
  state.putBytes(*own);
  return state.take();
}

void WebSocketWorker::restoreConnection(TcpConnection& tcp,
                                        std::string_view saved) {
  StateReader state(saved);
  if (state.get<std::uint8_t>() == 0) {
    HttpWorker::restoreConnection(tcp, state.getBytes());
    return;
  }
  const auto compression = WebSocketConnection::savedAgreement(state);
  WebSocketConnection& socket = become(tcp, compression);
  socket.restore(state);
  tcp.protocol().restore(state.getBytes());
  guarded(socket, [&] { onAdopt(socket, state.getBytes()); });
}

void WebSocketWorker::forgetConnection(TcpConnection& tcp) {
  if (WebSocketConnection* const socket = webSocketOf(tcp)) {
    socket->leaveTopics();
  }
}

// ---- Topics

std::size_t WebSocketWorker::publish(std::string_view topic,
                                     std::string_view text, Reach reach) {
  return publish(topic, WebSocketMessage::text(text), reach);
}

std::size_t WebSocketWorker::publishBinary(std::string_view topic,
                                           std::string_view bytes,
                                           Reach reach) {
  return publish(topic, WebSocketMessage::binary(bytes), reach);
}

std::size_t WebSocketWorker::publish(std::string_view topic,
                                     const WebSocketMessage& message,
                                     Reach reach) {
  if (siblings_ != nullptr && reach == Reach::kAllProcesses) {
    publishToSiblings(topic, message);
  }
  return deliver(topic, message);
}

void WebSocketWorker::publishToSiblings(std::string_view topic,
                                        const WebSocketMessage& message) {
  Mailbox& mailbox = siblings_->mailbox();
  if (!mailbox.hasOthers(siblings_->group())) return;
  const News header{static_cast<std::uint32_t>(topic.size()),
                    message.isText() ? 1u : 0u};
  std::string news(reinterpret_cast<const char*>(&header), sizeof header);
  news += topic;
  news += message.data();
  mailbox.publish(siblings_->group(), news);
}

void WebSocketWorker::onPublished(std::string_view news) {
  News header;
  std::memcpy(&header, news.data(), sizeof header);
  news.remove_prefix(sizeof header);
  const std::string_view topic = news.substr(0, header.topicSize);
  const std::string_view data = news.substr(header.topicSize);
  deliver(topic, header.isText != 0 ? WebSocketMessage::text(data)
                                    : WebSocketMessage::binary(data));
}

std::size_t WebSocketWorker::deliver(std::string_view topic,
                                     const WebSocketMessage& message) {
  const detail::Topic* const found = topics_->find(topic);
  if (found == nullptr) return 0;
  // onBufferFull may publish in turn, subscribe and unsubscribe.
  auto broadcast = std::exchange(broadcast_, nullptr);
  if (!broadcast) broadcast = std::make_unique<WebSocketBroadcast>();
  broadcast->begin(message);
  std::vector<WebSocketConnection*> receivers = std::exchange(receivers_, {});
  receivers.assign(found->subscribers().begin(), found->subscribers().end());
  std::size_t sent = 0;
  for (WebSocketConnection* const socket : receivers) {
    // Its process has it from the same publisher.
    if (socket->tcp_.status() == TcpConnection::Status::kHandedOver) continue;
    if (socket->isOpen() && socket->tcp_.sendRaw(broadcast->frameFor(
                                *socket)) != SendResult::kDropped) {
      ++sent;
    }
  }
  broadcast->end();
  broadcast_ = std::move(broadcast);
  receivers_ = std::move(receivers);
  return sent;
}

}  // namespace brigade
