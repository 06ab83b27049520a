// The program that the tests of HTTP and WebSocket run: it does what a path or
// a text tells it, well or badly, over http:// and websocket://.
//
//   /  /echo  /status/N  /big/BYTES  /stream/BYTES  /late/MS  /late-stream/MS
//   /late-big/BYTES  /never  /twice  /split  /throw  /throw-int
//   /throw-streaming /throw-answered  /count (streams its body)  /early
//   (answers before its body)  /throw-body
//
//   /late-starved-file/N/NAME (the Nth allocation fails)
//   /file/NAME  /late-file/NAME (what waits fills the buffer nearly) /page/NAME
//   (with 404)  /typed/NAME   the path /files/PATH  /nolinks/PATH  /any?as=PATH
//   HttpFiles, of the folder FILES /text/BYTES  /text-pieces/COUNT
//   /text-late/BYTES  /text-tagged /text-events  /text-noise/BYTES
//   /text-flood/BYTES (whatever comes of it) /text-full (ends in onBufferFull)
//   /text-starved/N (in pieces, the Nth allocation fails)
//   /full-send/DO  /full-file/DO  /full-start/DO   DO in onBufferFull: send,
//   start, write, end
//
//   sub TOPIC | unsub TOPIC | pub TOPIC TEXT | close CODE REASON | throw |
//   big BYTES TIMES | ping DATA | starved N TEXT; every other message comes
//   back
//
// From the environment, as in Subject.cc, in ms, bytes or counts:
// HEADER_TIMEOUT, IDLE_TIMEOUT, MAX_PACKAGE, MAX_SEND, PING_INTERVAL,
// PONG_TIMEOUT, CLOSE_TIMEOUT, MAX_MESSAGE, MAX_FRAME, MAX_FRAGMENTS, ORIGIN,
// COMPRESSION (none, shared, takeover), GZIP (yes), CLOSE_AT_END (yes: in
// onHttpEnd), SERVER_USER, and EVENT_LOG,
// a file to which the callbacks append a line.

#include <brigade/brigade.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/Allocations.h"
#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::HttpConnection;
using brigade::HttpRequest;
using brigade::HttpResponse;
using brigade::Repeat;
using brigade::WebSocketConnection;
using brigade::WebSocketMessage;
using brigade::test::setFrom;
using brigade::test::variable;
using std::chrono::milliseconds;

void note(const std::string& event) {
  brigade::test::noteIn(variable("EVENT_LOG"), event);
}

struct Words {
  std::string verb;
  std::string argument;

  Words(std::string_view text, char separator) {
    const auto at = text.find(separator);
    verb = text.substr(0, at);
    if (at != std::string_view::npos) argument = text.substr(at + 1);
  }
};

// While it lives an allocation fails.
class Starved {
 public:
  explicit Starved(const std::string& which) {
    brigade::test::failAllocation(std::stoul(which));
  }
  ~Starved() { brigade::test::failNoAllocation(); }
  Starved(const Starved&) = delete;
  Starved& operator=(const Starved&) = delete;
};

// What a connection is in the middle of.
struct State {
  std::size_t owed = 0;      // bytes of a streamed answer
  bool noise = false;        // they cannot be compressed
  std::size_t received = 0;  // of a streamed body
  std::string whenFull;      // what onBufferFull does, once
};

class HttpSubject : public brigade::WebSocketWorker {
 public:
  HttpSubject() : WebSocketWorker("http://127.0.0.1:0") {
    name = "subject";
    setFrom("HEADER_TIMEOUT", packageTimeout);
    setFrom("IDLE_TIMEOUT", idleTimeout);
    setFrom("MAX_PACKAGE", maxPackageSize);
    setFrom("MAX_SEND", maxSendBufferSize);
    setFrom("PING_INTERVAL", pingInterval);
    setFrom("PONG_TIMEOUT", pongTimeout);
    setFrom("CLOSE_TIMEOUT", closeTimeout);
    setFrom("MAX_MESSAGE", webSocketLimits.maxMessageSize);
    setFrom("MAX_FRAME", webSocketLimits.maxFrameSize);
    setFrom("MAX_FRAGMENTS", webSocketLimits.maxFragments);
    user = variable("SERVER_USER");
    const std::string origin = variable("ORIGIN");
    if (!origin.empty()) handshake.allowedOrigins.push_back(origin);
    const std::string folder = variable("FILES");
    if (!folder.empty()) {
      files_.emplace(folder);
      noLinks_.emplace(folder,
                       brigade::HttpFilesSettings{
                           .links = brigade::HttpFilesSettings::Links::kNone,
                           .index = {"none", "b.txt"},
                           .cacheControl = "max-age=60"});
    }
    if (!variable("GZIP").empty()) httpCompression.emplace();
    const std::string compression = variable("COMPRESSION");
    if (compression.empty() || compression == "none") return;
    auto& agreed = handshake.compression.emplace();
    agreed.threshold = 0;
    if (compression == "takeover") {
      agreed.serverContext = brigade::WebSocketContext::kTakeover;
      agreed.clientContext = brigade::WebSocketContext::kTakeover;
    }
  }

  // ---- HTTP

  void onRequest(HttpConnection& http, const HttpRequest& request) override {
    note("request " + std::string(request.target()));
    const Words path(request.path().substr(1), '/');
    if (serve(http, request, path)) return;
    if (path.verb.starts_with("throw")) {
      misbehave(http, path.verb);
    } else if (path.verb.starts_with("late") || path.verb == "never") {
      answerLate(http, path);
    } else {
      answer(http, request, path);
    }
  }

  bool streamBody(HttpConnection& http, const HttpRequest& request) override {
    if (request.path() == "/early") {
      http.send(HttpResponse::text("no\n", 403));
      return true;
    }
    http.context<State>().received = 0;
    return request.path() == "/count" || request.path() == "/throw-body";
  }

  void onBody(HttpConnection& http, std::string_view piece) override {
    std::size_t& received = http.context<State>().received;
    received += piece.size();
    // Far enough for the head to be forgotten.
    if (piece.find("throw") != std::string_view::npos) {
      throw std::runtime_error("asked to throw");
    }
  }

  void onBodyEnd(HttpConnection& http) override {
    http.send(std::to_string(http.context<State>().received));
  }

  void onHttpEnd(HttpConnection& http) override {
    note("http ended");
    if (!variable("CLOSE_AT_END").empty()) http.close();
  }
  void onHttpClose(HttpConnection&) override { note("http closed"); }
  void onHttpDrain(HttpConnection& http) override { pay(http); }

  void onBufferFull(brigade::TcpConnection& tcp) override {
    WebSocketWorker::onBufferFull(tcp);
    HttpConnection* const http = findHttp(tcp.id());
    if (http == nullptr) return;
    const std::string what =
        std::exchange(http->context<State>().whenFull, std::string());
    if (what.empty()) return;
    const auto result = what == "end"     ? http->end()
                        : what == "send"  ? http->send("meanwhile")
                        : what == "start" ? http->start(HttpResponse())
                                          : http->write("meanwhile");
    const bool dropped = result == brigade::SendResult::kDropped;
    note(what + (dropped ? " dropped" : " taken"));
  }

  // ---- WebSocket

  unsigned onHandshake(const HttpRequest& request,
                       std::span<const std::string_view> offered,
                       std::string& chosen) override {
    if (request.path() == "/forbidden") return 403;
    if (request.path() == "/throw") throw std::runtime_error("no handshake");
    const auto found = std::find(offered.begin(), offered.end(), "chat");
    if (found != offered.end()) chosen = *found;
    return 101;
  }

  void onOpen(WebSocketConnection& socket,
              const HttpRequest& request) override {
    note("open " + std::string(request.target()));
    if (request.path() == "/hello") socket.send("welcome");
    if (request.path() == "/throw-open") throw std::runtime_error("no opening");
  }

  void onMessage(WebSocketConnection& socket,
                 const WebSocketMessage& message) override {
    if (!message.isText()) {
      socket.sendBinary(message.data());
      return;
    }
    const Words words(message.data(), ' ');
    if (!talk(socket, words) && !obey(socket, words)) {
      socket.send(message.data());
    }
  }

  void onClose(WebSocketConnection& socket, std::uint16_t code,
               std::string_view reason) override {
    socket.subscribe("news");  // too late
    note("closed " + std::to_string(code) + " " + std::string(reason));
  }

 private:
  static HttpResponse file(const Words& path) {
    return HttpResponse::file(variable("FILES") + "/" + path.argument);
  }

  bool serve(HttpConnection& http, const HttpRequest& request,
             const Words& path) {
    if (request.query().starts_with("as=")) {
      files_->answer(http, request, request.query().substr(3));
    } else if (path.verb == "files") {
      files_->answer(http, request, path.argument);
    } else if (path.verb == "nolinks") {
      noLinks_->answer(http, request, path.argument);
    } else if (path.verb == "file") {
      http.send(file(path));
    } else if (path.verb == "page") {
      HttpResponse page = file(path);
      page.setStatus(404);
      http.send(page);
    } else if (path.verb == "typed") {
      http.send(file(path).set("content-type", "text/x-own"));
    } else if (path.verb.starts_with("late-") && path.verb.ends_with("file")) {
      addTimer(milliseconds(1), Repeat::kOnce, [this, path, id = http.id()] {
        if (HttpConnection* const late = findHttp(id)) sendLate(*late, path);
      });
    } else if (path.verb.starts_with("text")) {
      answerText(http, path);
    } else if (path.verb.starts_with("full")) {
      answerUntilFull(http, path);
    } else {
      return false;
    }
    return true;
  }

  static void sendLate(HttpConnection& http, const Words& path) {
    if (path.verb == "late-starved-file") {
      const Words what(path.argument, '/');
      const HttpResponse answer = file(what);
      try {
        const Starved starved(what.verb);
        http.send(answer);
      } catch (const std::bad_alloc&) {
        http.send("starved");  // dropped when there is half an answer
      }
    } else {
      const std::size_t waiting = http.tcp().sendQueueSize();
      if (waiting > 0) http.tcp().setMaxSendBufferSize(waiting * 8 / 7 + 8);
      http.send(file(path));
    }
  }

  static std::string text(const std::string& size) {
    std::string text;
    for (int i = 0; text.size() < std::stoul(size); ++i) {
      text += "line " + std::to_string(i) + "\n";
    }
    text.resize(std::stoul(size));
    return text;
  }

  void answerText(HttpConnection& http, const Words& path) {
    if (path.verb == "text-pieces") {
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      for (unsigned long i = std::stoul(path.argument); i > 0; --i) {
        http.write(text("100"));
      }
      if (path.argument != "1") http.end();
    } else if (path.verb == "text-late") {
      addTimer(milliseconds(1), Repeat::kOnce, [this, path, id = http.id()] {
        if (auto* const late = findHttp(id)) late->send(text(path.argument));
      });
    } else if (path.verb == "text-noise") {
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      http.context<State>() = {std::stoul(path.argument), true, 0, {}};
      pay(http);
    } else if (path.verb == "text-flood") {
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      const std::string piece = noise(16 * 1024);
      for (std::size_t sent = 0; sent < std::stoul(path.argument);
           sent += piece.size()) {
        http.write(piece);
      }
      http.end();
    } else if (path.verb == "text-full") {
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      http.context<State>().whenFull = "end";
      // More than is packed at once.
      const std::string piece = noise(256 * 1024);
      while (http.streaming()) http.write(piece);
    } else if (path.verb == "text-starved") {
      const Starved starved(path.argument);
      http.start(HttpResponse().set("Content-Type", "text/plain"));
      http.write(text("5000"));
      http.end();
    } else if (path.verb == "text-tagged") {
      http.send(HttpResponse::html(text("5000")).set("ETag", "\"one\""));
    } else if (path.verb == "text-events") {
      http.startEvents();
      http.sendEvent(text("5000"));
      http.end();
    } else {
      http.send(text(path.argument));
    }
  }

  // More than a Unix socket takes.
  static void answerUntilFull(HttpConnection& http, const Words& path) {
    const std::string much(1 << 20, 'x');
    http.context<State>().whenFull = path.argument;
    if (path.verb == "full-send") {
      http.send(HttpResponse().bodyView(much));
    } else if (path.verb == "full-file") {
      http.send(HttpResponse::file("/proc/self/exe"));
    } else {
      http.start(
          HttpResponse().set("X-Much", much).set("Content-Type", "text/plain"));
      http.end();
    }
  }

  void answer(HttpConnection& http, const HttpRequest& request,
              const Words& path) {
    if (path.verb == "echo") {
      http.send(HttpResponse().bodyView(request.body()));
    } else if (path.verb == "status") {
      http.send(HttpResponse(static_cast<unsigned>(std::stoul(path.argument))));
    } else if (path.verb == "start") {
      http.start(
          HttpResponse(static_cast<unsigned>(std::stoul(path.argument))));
      http.write("a body");
      http.end();
    } else if (path.verb == "big") {
      http.send(
          HttpResponse().body(std::string(std::stoul(path.argument), 'x')));
    } else if (path.verb == "stream") {
      http.start(HttpResponse());
      http.context<State>().owed = std::stoul(path.argument);
      pay(http);
    } else if (path.verb == "twice") {
      http.send("first");
      http.send("second");
    } else if (path.verb == "split") {
      http.send(HttpResponse().set("X", "a\r\nY: b"));
    } else {
      http.send("hello");
    }
  }

  void answerLate(HttpConnection& http, const Words& path) {
    if (path.verb == "never") return;
    if (path.verb == "late-big") {
      addTimer(milliseconds(10), Repeat::kOnce,
               [this, size = std::stoul(path.argument), id = http.id()] {
                 if (HttpConnection* const late = findHttp(id)) {
                   late->send(HttpResponse().body(std::string(size, 'x')));
                 }
               });
      return;
    }
    const bool streams = path.verb == "late-stream";
    if (streams) {
      http.start(HttpResponse());
      http.write("first,");
    }
    addTimer(milliseconds(std::stoul(path.argument)), Repeat::kOnce,
             [this, streams, id = http.id()] {
               HttpConnection* const late = findHttp(id);
               if (late == nullptr) return;
               if (!streams) {
                 late->send("late");
                 return;
               }
               late->write("second");
               late->end();
             });
  }

  static void misbehave(HttpConnection& http, const std::string& how) {
    if (how == "throw-int") throw 42;
    if (how == "throw-streaming") {
      http.start(HttpResponse());
      http.write("begun");
    }
    if (how == "throw-answered") http.send("answered");
    throw std::runtime_error("asked to throw");
  }

  static std::string noise(std::size_t size) {
    std::string noise;
    std::minstd_rand random;
    while (noise.size() < size) noise += static_cast<char>(random() >> 16);
    return noise;
  }

  // Sends what is owed for as long as it is taken.
  static void pay(HttpConnection& http) {
    static const std::string same(16 * 1024, 'x');
    static const std::string noisy = noise(16 * 1024);
    const std::string& piece = http.context<State>().noise ? noisy : same;
    std::size_t& owed = http.context<State>().owed;
    while (owed > 0) {
      const std::string_view part(piece.data(), std::min(owed, piece.size()));
      const auto result = http.write(part);
      if (result == brigade::SendResult::kDropped) return;
      owed -= part.size();
      if (result == brigade::SendResult::kQueued) break;
    }
    if (owed == 0) http.end();
  }

  bool talk(WebSocketConnection& socket, const Words& words) {
    if (words.verb == "sub") {
      socket.subscribe(words.argument);
      socket.send("subscribed");
    } else if (words.verb == "unsub") {
      socket.unsubscribe(words.argument);
      socket.send("unsubscribed");
    } else if (words.verb == "pub") {
      const Words what(words.argument, ' ');
      const std::size_t reached = publish(what.verb, what.argument);
      socket.send("published to " + std::to_string(reached));
    } else {
      return false;
    }
    return true;
  }

  // More than once without a look at what became of it, then a ping that says
  // how many were dropped.
  static void sendMuch(WebSocketConnection& socket, const Words& what) {
    const std::string bytes(std::stoul(what.verb), 'x');
    unsigned dropped = 0;
    for (unsigned long i = std::stoul(what.argument); i > 0; --i) {
      const auto result = socket.sendBinary(bytes);
      if (result == brigade::SendResult::kDropped) ++dropped;
    }
    socket.ping("dropped " + std::to_string(dropped));
  }

  static bool obey(WebSocketConnection& socket, const Words& words) {
    if (words.verb == "close") {
      const Words what(words.argument, ' ');
      socket.close(static_cast<std::uint16_t>(std::stoul(what.verb)),
                   what.argument);
    } else if (words.verb == "throw") {
      throw std::runtime_error("asked to throw");
    } else if (words.verb == "big") {
      sendMuch(socket, Words(words.argument, ' '));
    } else if (words.verb == "ping") {
      socket.ping(words.argument);
    } else if (words.verb == "starved") {
      const Words what(words.argument, ' ');
      const Starved starved(what.verb);
      socket.send(what.argument);
    } else {
      return false;
    }
    return true;
  }

  std::optional<brigade::HttpFiles> files_;
  std::optional<brigade::HttpFiles> noLinks_;
};

}  // namespace

int main(int argc, char** argv) {
  HttpSubject subject;
  return brigade::run(argc, argv, {&subject});
}
