// The program that tests of HttpWorker and WebSocketWorker run. What a request
// asks for is in its path; a WebSocket does what its texts say:
//
//   GET /users/:id, /files/*path, ...      the router's; see route()
//   GET /late/MS, /throw, /half, /twice, /address, /never
//   POST /size (streamed), /body
//   text: "sub TOPIC", "unsub TOPIC", "pub TOPIC TEXT", "here TOPIC TEXT" (a
//   pub in this process only), "throw", "close CODE", "big BYTES",
//   "cost TOPIC TEXT" (what a pub costs), "heap" (bytes of it),
//   "when-full TOPIC" (onBufferFull leaves it and publishes there); anything
//   else comes back
//
// From the environment: PING_MS, PONG_MS, CLOSE_MS, HEAD_MS, IDLE_MS, and
// MAX_BODY in bytes.

#include <brigade/brigade.h>
#include <malloc.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/Allocations.h"
#include "tests/support/Environment.h"
#include "tests/support/SystemCalls.h"

namespace {

using brigade::HttpConnection;
using brigade::HttpParameters;
using brigade::HttpRequest;
using brigade::HttpResponse;
using brigade::WebSocketConnection;
using brigade::WebSocketMessage;
using brigade::test::setFrom;

class WebSubject : public brigade::WebSocketWorker {
 public:
  WebSubject() : WebSocketWorker("websocket://127.0.0.1:0") {
    name = "web";
    setFrom("PING_MS", pingInterval);
    setFrom("PONG_MS", pongTimeout);
    setFrom("CLOSE_MS", closeTimeout);
    setFrom("HEAD_MS", packageTimeout);
    setFrom("IDLE_MS", idleTimeout);
    setFrom("MAX_BODY", maxPackageSize);
    addRoutes();
  }

  void onRequest(HttpConnection& http, const HttpRequest& request) override {
    router_.route(http, request);
  }

  void onBufferFull(brigade::TcpConnection& tcp) override {
    WebSocketWorker::onBufferFull(tcp);
    brigade::log(brigade::LogLevel::kInfo, "reads no more");
    WebSocketConnection* const socket = findWebSocket(tcp.id());
    if (socket == nullptr || whenFull_.empty()) return;
    const std::string topic = std::exchange(whenFull_, std::string());
    socket->unsubscribe(topic);
    socket->subscribe("full");
    publish(topic, "one is full");
  }

  bool streamBody(HttpConnection&, const HttpRequest& request) override {
    return request.path() == "/size";
  }
  void onBody(HttpConnection& http, std::string_view piece) override {
    http.context<std::size_t>() += piece.size();
  }
  void onBodyEnd(HttpConnection& http) override {
    http.send("streamed " + std::to_string(http.context<std::size_t>()));
  }

  void onOpen(WebSocketConnection& socket,
              const HttpRequest& request) override {
    socket.send("hello " + std::string(request.path()));
  }
  void onMessage(WebSocketConnection& socket,
                 const WebSocketMessage& message) override {
    const std::string text(message.data());
    const auto space = text.find(' ');
    const std::string verb = text.substr(0, space);
    const std::string rest =
        space == std::string::npos ? "" : text.substr(space + 1);
    if (verb == "sub") {
      socket.subscribe(rest);
    } else if (verb == "unsub") {
      socket.unsubscribe(rest);
    } else if (verb == "pub") {
      const auto end = rest.find(' ');
      const auto told = publish(rest.substr(0, end), rest.substr(end + 1));
      socket.send("told " + std::to_string(told));
    } else if (verb == "here") {
      const auto end = rest.find(' ');
      const auto told = publish(rest.substr(0, end), rest.substr(end + 1),
                                Reach::kThisProcess);
      socket.send("told " + std::to_string(told));
    } else if (verb == "cost") {
      const auto end = rest.find(' ');
      const std::string topic = rest.substr(0, end);
      const std::size_t calls = brigade::test::systemCalls();
      const std::size_t before = brigade::test::allocations();
      publish(topic, std::string_view(rest).substr(end + 1));
      const std::size_t cost = brigade::test::allocations() - before;
      socket.send(std::to_string(cost) + " allocations, " +
                  std::to_string(brigade::test::systemCalls() - calls) +
                  " system calls");
    } else if (verb == "heap") {
      const struct mallinfo2 info = ::mallinfo2();
      socket.send(std::to_string(info.uordblks + info.hblkhd));
    } else if (verb == "when-full") {
      whenFull_ = rest;
    } else if (verb == "throw") {
      throw std::runtime_error("told to throw");
    } else if (verb == "close") {
      socket.close(static_cast<std::uint16_t>(std::stoul(rest)), "bye");
    } else if (verb == "big") {
      socket.send(std::string(std::stoul(rest), 'x'));
    } else {
      socket.send(text);
    }
  }
  void onClose(WebSocketConnection& socket, std::uint16_t code,
               std::string_view reason) override {
    brigade::log(brigade::LogLevel::kInfo,
                 "closed " + std::to_string(code) + " " + std::string(reason) +
                     " " + std::to_string(socket.id().value() != 0));
  }

 private:
  void addRoutes() {
    using Handler = brigade::HttpRouter::Handler;
    const auto get = [&](std::string_view pattern, Handler handler) {
      router_.add("GET", pattern, std::move(handler));
    };
    get("/users/:id", [](auto& http, auto&, auto& parameters) {
      http.send("user " + std::string(parameters["id"]));
    });
    get("/users/me", [](auto& http, auto&, auto&) { http.send("you"); });
    get("/users/:id/mail/:box", [](auto& http, auto&, auto& parameters) {
      http.send(std::string(parameters["id"]) + "'s " +
                std::string(parameters["box"]));
    });
    get("/files/*path", [](auto& http, auto&, auto& parameters) {
      http.send("file " + std::string(parameters["path"]));
    });
    router_.add("PUT", "/users/:id",
                [](auto& http, auto&, auto&) { http.send("put"); });
    router_.add("POST", "/body", [](auto& http, auto& request, auto&) {
      http.send("body " + std::to_string(request.body().size()) + " of " +
                std::string(request.header("X-Name").value_or("nobody")));
    });
    get("/late/:ms", [this](auto& http, auto&, auto& parameters) {
      const auto delay = std::stoul(std::string(parameters["ms"]));
      addTimer(std::chrono::milliseconds(delay), brigade::Repeat::kOnce,
               [this, id = http.id(), delay] {
                 HttpConnection* const late = findHttp(id);
                 if (late != nullptr)
                   late->send("late " + std::to_string(delay));
               });
    });
    get("/throw",
        [](auto&, auto&, auto&) { throw std::runtime_error("told to throw"); });
    get("/half", [](auto& http, auto&, auto&) {
      http.start(HttpResponse());
      http.write("half of it");
      throw std::runtime_error("told to throw");
    });
    get("/twice", [](auto& http, auto&, auto&) {
      http.send("once");
      if (http.send("twice") != brigade::SendResult::kDropped) std::abort();
    });
    get("/pieces", [](auto& http, auto&, auto&) {
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      http.write("one ");
      http.write("two");
      http.end();
    });
    get("/events", [](auto& http, auto&, auto&) {
      http.startEvents();
      http.sendEvent("two\nlines", "news", "7");
      http.end();
    });
    get("/address",
        [](auto& http, auto&, auto&) { http.send(http.remoteIp()); });
    get("/never", [](auto&, auto&, auto&) {});
  }

  brigade::HttpRouter router_;
  std::string whenFull_;  // a topic
};

}  // namespace

int main(int argc, char** argv) {
  WebSubject subject;
  return brigade::run(argc, argv, {&subject});
}
