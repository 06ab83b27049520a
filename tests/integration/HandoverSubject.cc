// The program that tests of hand-overs run: a server of lines, or with KIND=web
// one of HTTP and WebSockets, that passes its connections on.
//
//   line: "stay" (this connection is to be drained), "pid", "id", "big BYTES",
//   "ask INDEX TEXT" (that process is asked, and says TEXT); anything else
//   comes back behind the number of lines so far
//   GET /: that process; WebSocket text: "sub TOPIC", "pub TOPIC TEXT", "pid";
//   anything else comes back behind the number of texts so far
//
// From the environment: EVENT_LOG, a file that onConnect, onAdopt and onClose
// write to; AT_HANDOVER, a signal that the process gives itself when the n-th
// connection is asked for, as in "9 2", while the file AT_HANDOVER_FILE exists;
// RUDE=yes: onAdopt throws; COMPRESSED=yes: WebSockets may be.

#include <brigade/brigade.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::HttpConnection;
using brigade::HttpRequest;
using brigade::TcpConnection;
using brigade::WebSocketConnection;
using brigade::WebSocketMessage;
using brigade::test::note;
using brigade::test::variable;

void haveAnAccident() {
  static int asked = 0;
  std::istringstream words(variable("AT_HANDOVER"));
  int signal = 0;
  int which = 0;
  if (!(words >> signal >> which) || ++asked != which) return;
  if (std::filesystem::exists(variable("AT_HANDOVER_FILE"))) ::raise(signal);
}

struct State {
  unsigned lines = 0;
  bool stays = false;
};

// "VERB REST"
std::pair<std::string, std::string> wordsOf(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, space)),
          std::string(text.substr(space + 1))};
}

unsigned numberIn(std::string_view text) {
  return static_cast<unsigned>(std::stoul(std::string(text)));
}

class Lines : public brigade::Worker {
 public:
  Lines() : Worker("text://127.0.0.1:0") {
    name = "lines";
    handover = true;
    maxSendBufferSize = 64 * 1024 * 1024;
  }

  void onWorkerStart() override {
    messenger().answerWith("say", [](const brigade::Letter& letter) {
      return std::string(letter.data);
    });
  }
  void onConnect(TcpConnection&) override { note("onConnect"); }
  void onClose(TcpConnection&) override { note("onClose"); }

  void onMessage(TcpConnection& connection,
                 const brigade::Message& message) override {
    const auto [verb, rest] = wordsOf(message.data());
    State& state = connection.context<State>();
    if (verb == "stay") {
      state.stays = true;
      connection.send("stays");
    } else if (verb == "pid") {
      connection.send(std::to_string(::getpid()));
    } else if (verb == "id") {
      connection.send(std::to_string(connection.id().value()));
    } else if (verb == "big") {
      connection.send(std::string(numberIn(rest), 'x'));
    } else if (verb == "ask") {
      ask(connection, rest);
    } else {
      std::string answer = std::to_string(++state.lines);
      answer.append(" ").append(message.data());
      connection.send(answer);
    }
  }

  std::optional<std::string> onHandover(TcpConnection& connection) override {
    haveAnAccident();
    const State& state = connection.context<State>();
    if (state.stays) return std::nullopt;
    return std::to_string(state.lines);
  }
  void onAdopt(TcpConnection& connection, std::string_view state) override {
    note("onAdopt");
    if (variable("RUDE") == "yes") throw std::runtime_error("does not want it");
    connection.context<State>().lines = numberIn(state);
  }

 private:
  void ask(TcpConnection& connection, std::string_view question) {
    const auto [index, text] = wordsOf(question);
    messenger().request(numberIn(index), "say", text,
                        [this, id = connection.id()](const auto& answer) {
                          TcpConnection* const asker = find(id);
                          if (asker != nullptr) {
                            asker->send(answer.value.view());
                          }
                        });
  }
};

class Web : public brigade::WebSocketWorker {
 public:
  Web() : WebSocketWorker("websocket://127.0.0.1:0") {
    name = "web";
    handover = true;
    if (variable("COMPRESSED") == "yes") handshake.compression.emplace();
  }

  void onRequest(HttpConnection& http, const HttpRequest& request) override {
    if (request.path() == "/never") return;
    http.send(std::to_string(::getpid()));
  }
  void onMessage(WebSocketConnection& socket,
                 const WebSocketMessage& message) override {
    const auto [verb, rest] = wordsOf(message.data());
    if (verb == "sub") {
      socket.subscribe(rest);
      socket.send("subscribed");
    } else if (verb == "pub") {
      const auto [topic, text] = wordsOf(rest);
      publish(topic, text);
    } else if (verb == "pid") {
      socket.send(std::to_string(::getpid()));
    } else {
      std::string answer = std::to_string(++socket.context<unsigned>());
      answer.append(" ").append(message.data());
      socket.send(answer);
    }
  }
  void onClose(WebSocketConnection&, std::uint16_t code,
               std::string_view) override {
    note("onClose " + std::to_string(code));
  }

  std::optional<std::string> onHandover(WebSocketConnection& socket) override {
    return std::to_string(socket.context<unsigned>());
  }
  void onAdopt(WebSocketConnection& socket, std::string_view state) override {
    note("onAdopt");
    socket.context<unsigned>() = numberIn(state);
  }
};

}  // namespace

int main(int argc, char** argv) {
  Lines lines;
  Web web;
  brigade::Worker* worker = &lines;
  if (variable("KIND") == "web") worker = &web;
  return brigade::run(argc, argv, {worker});
}
