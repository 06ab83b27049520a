#include "brigade/Worker/HttpWorker.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Protocol/SavedState.h"
#include "brigade/Worker/HttpSessions.h"
#include "brigade/Worker/detail/HttpBody.h"
#include "brigade/Worker/detail/HttpPacker.h"
#include "brigade/Worker/detail/HttpProtocol.h"

namespace brigade {
HttpWorker::HttpWorker(std::string where) : Worker(std::move(where)) {
  packageTimeout = std::chrono::seconds(60);
  idleTimeout = std::chrono::seconds(75);
  // A line or a frame is no request: it would never be answered.
  protocols_.clear();
  registerHttp("http");
}

void HttpWorker::registerHttp(std::string_view scheme) {
  registerProtocol(scheme, [this] {
    // The limits are the program's until the first connection.
    if (!shared_) shared_ = std::make_unique<HttpShared>(httpLimits);
    return std::make_shared<detail::HttpProtocol>(*this, *shared_);
  });
}

void HttpWorker::registerPlain() {
  const ProtocolRegistry all;
  for (const std::string& scheme : all.schemes()) {
    registerProtocol(scheme, all.find(scheme));
  }
}

HttpWorker::~HttpWorker() = default;

void HttpWorker::prepareBuiltins(const detail::Service& service) {
  if (sessions_ != nullptr) sessions_->prepare(service);
}

void HttpWorker::prepareBuiltinsInProcess(detail::WorkerProcess& process) {
  if (sessions_ != nullptr) sessions_->prepareProcess(process);
}

void HttpWorker::onRequest(HttpConnection& http, const HttpRequest&) {
  http.send(HttpResponse::text("404 Not Found\n", 404));
}

// Null when another protocol has taken the connection over.
HttpConnection* HttpWorker::httpOf(TcpConnection& tcp) {
  ProtocolInterface& protocol = tcp.protocol();
  return typeid(protocol) == typeid(detail::HttpProtocol)
             ? &static_cast<detail::HttpProtocol&>(protocol).connection()
             : nullptr;
}

HttpConnection* HttpWorker::findHttp(ConnectionId id) {
  TcpConnection* const tcp = find(id);
  return tcp == nullptr ? nullptr : httpOf(*tcp);
}

std::string_view HttpWorker::date() {
  const Clock::time_point now = loop().now();
  if (now >= dateEnds_) [[unlikely]]
    lookUpDate(now);
  return {date_.data(), date_.size()};
}

void HttpWorker::lookUpDate(Clock::time_point now) {
  using std::chrono::system_clock;
  const auto wall = system_clock::now();
  const auto second = std::chrono::floor<std::chrono::seconds>(wall);
  date_ = formatHttpDate(system_clock::to_time_t(second));
  dateEnds_ = now + (second + std::chrono::seconds(1) - wall);
  shared_->date = {date_.data(), date_.size()};
}

detail::HttpPacker& HttpWorker::packer() {
  if (!packer_) packer_ = std::make_unique<detail::HttpPacker>();
  return *packer_;
}

// ---- From the connection

void HttpWorker::onConnect(TcpConnection& tcp) {
  // A program may register a protocol of its own.
  HttpConnection* const http = httpOf(tcp);
  if (http != nullptr) attach(*http, tcp);
}

void HttpWorker::attach(HttpConnection& http, TcpConnection& tcp) const {
  http.tcp_ = &tcp;
  // A head has limits of its own, and a body is bounded when it is collected.
  tcp.setMaxPackageSize(std::max(maxPackageSize, httpLimits.headBytes));
}

void HttpWorker::onMessage(TcpConnection& tcp, const Message& message) {
  if (!message.is<HttpPart>()) {
    Worker::onMessage(tcp, message);
    return;
  }
  auto& http = static_cast<detail::HttpProtocol&>(tcp.protocol()).connection();
  const HttpConnection::Callback callback(http);
  const auto& part = message.as<HttpPart>();
  if (part.request != nullptr) http.begin(*part.request);
  switch (part.kind) {
    case HttpPart::Kind::kRequest:
      if (part.request->body().empty() || !streamWhole(http, *part.request)) {
        handle(http, *part.request);
      }
      break;
    case HttpPart::Kind::kHead:
      http.bodyPending_ = true;
      beginBody(http, *part.request);
      break;
    case HttpPart::Kind::kBody:
      addBody(http, message.data());
      break;
    case HttpPart::Kind::kEnd:
      addBody(http, message.data());
      http.bodyPending_ = false;
      endBody(http);
      break;
  }
}

void HttpWorker::onClose(TcpConnection& tcp) {
  if (HttpConnection* const http = httpOf(tcp)) onHttpClose(*http);
}

void HttpWorker::onEnd(TcpConnection& tcp) {
  if (!staysForAnswer(tcp)) tcp.close();
}

void HttpWorker::onEndAhead(TcpConnection& tcp) { staysForAnswer(tcp); }

// A peer that shuts its writing side still gets the answer it waits for.
bool HttpWorker::staysForAnswer(TcpConnection& tcp) {
  HttpConnection* const http = httpOf(tcp);
  if (http == nullptr || !http->answering() || http->bodyPending_) return false;
  http->keepAlive_ = false;
  onHttpEnd(*http);
  return true;
}

// Silence while the program makes its answer is the program's, unless it is the
// peer who does not read.
bool HttpWorker::onIdle(TcpConnection& tcp) {
  HttpConnection* const http = httpOf(tcp);
  if (http == nullptr) return false;
  if (!http->answering() && tcp.receiveQueueSize() == 0) {
    tcp.close();  // as it should be: no error
    return true;
  }
  return http->answering() && !http->bodyPending_ && tcp.sendQueueSize() == 0;
}

// A client that sends requests and does not read the answers gets no more of
// them until it has.
void HttpWorker::onBufferFull(TcpConnection& tcp) { tcp.pauseRecv(); }

void HttpWorker::onBufferDrain(TcpConnection& tcp) {
  HttpConnection* const http = httpOf(tcp);
  if (http != nullptr && http->streaming()) onHttpDrain(*http);
  const bool held = http != nullptr && http->held_;
  if (!held && !tcp.bufferFull()) tcp.resumeRecv();
}

Drain HttpWorker::onDrain(TcpConnection& tcp) {
  HttpConnection* const http = httpOf(tcp);
  if (http == nullptr) return Drain::kWhenQuiet;
  http->draining_ = true;
  if (!http->answering() && tcp.receiveQueueSize() == 0) tcp.close();
  return Drain::kByItself;
}

// ---- To another process

std::optional<std::string> HttpWorker::saveConnection(TcpConnection& tcp) {
  HttpConnection* const http = httpOf(tcp);
  if (http == nullptr) return Worker::saveConnection(tcp);
  const std::optional<std::string> codec = tcp.protocol().save();
  if (!codec || http->answering() || http->bodyPending_ || http->draining_) {
    return std::nullopt;
  }
  const std::optional<std::string> own = onHttpHandover(*http);
  if (!own) return std::nullopt;
  StateWriter state;
  state.putBytes(*codec);
  state.putBytes(*own);
  return state.take();
}

void HttpWorker::restoreConnection(TcpConnection& tcp, std::string_view saved) {
  HttpConnection* const http = httpOf(tcp);
  if (http == nullptr) {
    Worker::restoreConnection(tcp, saved);
    return;
  }
  attach(*http, tcp);
  StateReader state(saved);
  tcp.protocol().restore(state.getBytes());
  onHttpAdopt(*http, state.getBytes());
}

// ---- Requests

// Inside a catch: what has left a callback becomes an answer, as far as there
// is none yet; then it goes on to the connection, which counts and logs it.
void HttpWorker::failed(HttpConnection& http, const HttpRequest& request) {
  const std::string where =
      std::string(request.method()) + " " + std::string(request.path()) + ": ";
  const std::string what = exceptionText(std::current_exception());
  http.fail(500);
  throw std::runtime_error(where + what);
}

template <typename Callback>
void HttpWorker::guarded(HttpConnection& http, const HttpRequest& request,
                         Callback callback) {
  try {
    callback();
  } catch (...) {
    failed(http, request);
  }
}

// RFC 9110, 9.3.6: a 2xx would open a tunnel, and there is none here.
bool HttpWorker::refusesTunnel(HttpConnection& http,
                               const HttpRequest& request) {
  if (request.method() != "CONNECT") return false;
  http.fail(501);
  return true;
}

void HttpWorker::handle(HttpConnection& http, const HttpRequest& request) {
  if (refusesTunnel(http, request)) return;
  if (request.body().size() > maxPackageSize) {
    http.fail(413);
    return;
  }
  guarded(http, request, [&] {
    if (request.wantsUpgrade() && upgrade(http, request)) return;
    onRequest(http, request);
    if (http.answering()) http.holdBack(request);
  });
}

void HttpWorker::beginBody(HttpConnection& http, const HttpRequest& head) {
  if (refusesTunnel(http, head)) return;
  guarded(http, head, [&] {
    auto body = std::make_unique<HttpConnection::Body>();
    body->streamed = streamBody(http, head);
    if (!http.answering()) return;
    if (!body->streamed && head.contentLength().value_or(0) > maxPackageSize) {
      http.fail(413);
      return;
    }
    body->request.assign(head, body->head);
    http.body_ = std::move(body);
    if (head.expectsContinue() && !http.streaming()) {
      http.tcp_->send(Message::of(HttpPiece::kContinue));
    }
  });
}

// A body that came with its head is given to the same callbacks as one that
// did not. False: it is not to be streamed.
bool HttpWorker::streamWhole(HttpConnection& http, const HttpRequest& request) {
  if (refusesTunnel(http, request)) return true;
  bool streamed = false;
  guarded(http, request, [&] {
    streamed = streamBody(http, request);
    if (streamed && http.answering()) onBody(http, request.body());
    if (streamed && http.answering()) onBodyEnd(http);
    if (streamed && http.answering()) http.holdBack(request);
  });
  return streamed || !http.answering();
}

void HttpWorker::addBody(HttpConnection& http, std::string_view piece) {
  if (!http.body_ || piece.empty() || !http.answering()) return;
  HttpConnection::Body& body = *http.body_;
  atHand_.request = &body.request;
  guarded(http, body.request, [&] {
    if (body.streamed) {
      onBody(http, piece);
    } else if (body.collected.size() + piece.size() > maxPackageSize) {
      http.fail(413);
    } else {
      body.collected += piece;
    }
  });
}

void HttpWorker::endBody(HttpConnection& http) {
  if (!http.body_ || !http.answering()) return;
  const std::unique_ptr<HttpConnection::Body> body = std::move(http.body_);
  atHand_.request = &body->request;
  if (body->streamed) {
    guarded(http, body->request, [&] {
      onBodyEnd(http);
      if (http.answering()) http.holdBack(body->request);
    });
  } else {
    body->request.setBody(body->collected);
    handle(http, body->request);
  }
}

}  // namespace brigade
