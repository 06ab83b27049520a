// Sends every message back, in whatever protocol --listen names:
//   ./echo start --listen tcp://127.0.0.1:7000
//   ./echo start --listen frame+unix:///tmp/echo.sock
//   ./echo start --listen http://127.0.0.1:7000        the request's body
//   ./echo start --listen websocket://127.0.0.1:7000   text as text
// A peer that does not read is not read from until it does: nothing is lost.
// Of HTTP two things do not come back: CONNECT, which is 501, and a body over
// maxPackageSize, which is 413.

#include <brigade/brigade.h>

#include <string>

class Echo : public brigade::WebSocketWorker {
 public:
  Echo() : WebSocketWorker("tcp://0.0.0.0:7000") {
    name = "echo";
    registerPlain();
    webSocketLimits.maxMessageSize = 64 << 20;
    webSocketLimits.maxFrameSize = 64 << 20;
    webSocketLimits.maxFragments = 1 << 20;  // such a message in 64 bytes each
    handshake.compression.emplace();
  }

  void onWorkerStart() override {
    web_ = address.starts_with("http") || address.starts_with("websocket");
    // Those are what an HTTP server needs.
    if (!web_) idleTimeout = packageTimeout = {};
  }

  // http://, and websocket:// for who does not upgrade
  void onRequest(brigade::HttpConnection& http,
                 const brigade::HttpRequest& request) override {
    brigade::HttpResponse response;
    response.set(
        "Content-Type",
        request.header("Content-Type").value_or("application/octet-stream"));
    http.send(response.bodyView(request.body()));
  }

  // websocket://
  void onMessage(brigade::WebSocketConnection& socket,
                 const brigade::WebSocketMessage& message) override {
    if (message.isText()) {
      socket.send(message.data());
    } else {
      socket.sendBinary(message.data());
    }
  }

  // every other protocol
  void onConnect(brigade::TcpConnection& connection) override {
    if (web_) WebSocketWorker::onConnect(connection);
  }
  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& message) override {
    if (web_) {
      WebSocketWorker::onMessage(connection, message);
    } else {
      connection.send(message);
    }
  }

 private:
  bool web_ = false;  // the address is one of HTTP's
};

int main(int argc, char** argv) {
  Echo echo;
  return brigade::run(argc, argv, {&echo});
}
