// A chat in the browser: one port gives the page (chat.html) and takes its
// WebSockets.
//   ./chat start
//   open http://127.0.0.1:8080 in two windows
//
// Messages are JSON texts. The page says
//   {"type":"join","room":"lobby","name":"Ada","key":"a secret of the page"}
//   {"type":"say","id":"1","text":"hello"}
// and hears
//   {"type":"welcome","room":"lobby","name":"Ada","here":[...],"lines":[...]}
//   {"type":"line","from":"Ada","id":"1","text":"hello","time":1700000000000}
//   {"type":"joined","name":"Bob"}, {"type":"left","name":"Bob"}
//   {"type":"error","about":"name","text":"..."}      also room, text, type
// A message of another form ends the connection with 1003, 1007 or 1008.
//
// Four worker processes have the connections, and check what they are sent. The
// rooms are in the master (ChatHost.h): the processes ask it and pass on what
// it says. When one dies its people leave, the others see that, and the page
// comes back by itself to whichever process takes it. A reload nobody notices:
// the connections go on in the new processes. The WebSocket is /socket.

#include <brigade/brigade.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ChatHost.h"
#include "ChatPage.h"
#include "ChatText.h"

namespace {

using brigade::Answer;
using brigade::ConnectionId;
using brigade::HttpConnection;
using brigade::HttpRequest;
using brigade::Letter;
using brigade::Messenger;
using brigade::TcpConnection;
using brigade::WebSocketCode;
using brigade::WebSocketConnection;
using brigade::WebSocketMessage;
using nlohmann::json;

constexpr std::size_t kMaxKey = 64;  // and of a line's id; in bytes
// The longest line, every byte of it escaped as \u0000, and the rest.
constexpr std::size_t kMaxMessage = 6 * kMaxLineBytes + 1024;
// Another connection has this one's name now.
constexpr std::uint16_t kTakenOver = 4001;

// Null when the field is not there or no string.
const std::string* textOf(const json& message, const char* field) {
  const auto found = message.find(field);
  return found == message.end() ? nullptr
                                : found->get_ptr<const std::string*>();
}

void sendError(WebSocketConnection& socket, std::string_view about,
               std::string_view text, std::string_view id = {}) {
  json error = {{"type", "error"}, {"about", about}, {"text", text}};
  if (!id.empty()) error["id"] = id;
  socket.send(error.dump());
}

void refuse(WebSocketConnection& socket) {
  socket.close(WebSocketCode::kPolicy, "not a message of this chat");
}

// A browser tells whose page it is that connects, by the host of its address.
bool isOwnPage(const HttpRequest& request) {
  const auto origin = request.header("Origin");
  if (!origin) return true;
  const auto scheme = origin->find("://");
  return scheme != std::string_view::npos &&
         origin->substr(scheme + 3) == request.host();
}

}  // namespace

class Chat : public brigade::WebSocketWorker {
 public:
  Chat() : WebSocketWorker("websocket://0.0.0.0:8080") {
    name = "chat";
    count = 4;
    handover = true;
    maxPackageSize = kMaxMessage;  // of an HTTP request's body
    webSocketLimits.maxMessageSize = kMaxMessage;
    webSocketLimits.maxFrameSize = kMaxMessage;
    page_.set("Content-Type", "text/html; charset=utf-8")
        .set("Content-Security-Policy", kChatPolicy)
        .set("X-Content-Type-Options", "nosniff")
        .set("Referrer-Policy", "no-referrer")
        .set("Cache-Control", "no-cache")
        .bodyView(kChatPage);
    router_.add("GET", "/",
                [this](HttpConnection& http, const HttpRequest&,
                       const brigade::HttpParameters&) { http.send(page_); });
  }

  void onMasterStart() override { host_.emplace(messenger()); }
  std::string onMasterUpgrade() override { return host_->save(); }
  void onMasterAdopt(std::string_view saved) override { host_->restore(saved); }

  void onWorkerStart() override {
    messenger().on("tell", [this](const Letter& letter) {
      const std::size_t end = letter.data.find('\n');
      publish(letter.data.substr(0, end), letter.data.substr(end + 1),
              Reach::kThisProcess);
    });
    messenger().on("replaced", [this](const Letter& letter) {
      const auto id = ConnectionId::of(std::stoull(std::string(letter.data)));
      if (WebSocketConnection* const old = findWebSocket(id)) {
        old->close(kTakenOver, "continued elsewhere");
      }
    });
    // It is in the history when they come back.
    messenger().on("missed", [this](const Letter&) {
      for (TcpConnection& tcp : connections()) {
        if (WebSocketConnection* const socket = findWebSocket(tcp.id())) {
          socket->close(WebSocketCode::kTryAgainLater, "lines were missed");
        }
      }
    });
    messenger().onRoom([this](unsigned) {
      for (const auto& [what, person] : std::exchange(untold_, {})) {
        tellHost(what, person);
      }
    });
  }

  void onRequest(HttpConnection& http, const HttpRequest& request) override {
    router_.route(http, request);
  }

  unsigned onHandshake(const HttpRequest& request,
                       std::span<const std::string_view>,
                       std::string&) override {
    if (request.path() != "/socket") return 404;
    return isOwnPage(request) ? 101 : 403;
  }

  void onMessage(WebSocketConnection& socket,
                 const WebSocketMessage& message) override {
    if (!message.isText()) {
      socket.close(WebSocketCode::kUnsupported, "text only");
      return;
    }
    const json request = json::parse(message.data(), nullptr, false);
    if (request.is_discarded()) {
      socket.close(WebSocketCode::kInvalidData, "not JSON");
      return;
    }
    const std::string* const type = textOf(request, "type");
    if (type == nullptr) {
      refuse(socket);
    } else if (*type == "join") {
      join(socket, request);
    } else if (*type == "say") {
      say(socket, request);
    } else {
      sendError(socket, "type", "There is no message of this type.");
    }
  }

  void onClose(WebSocketConnection& socket, std::uint16_t,
               std::string_view) override {
    if (socket.context<Place>().room.empty()) return;
    tellHost("leave", own(socket).dump());
  }

  // Whoever waits for the answer to "join" stays: it comes to this process.
  std::optional<std::string> onHandover(WebSocketConnection& socket) override {
    const Place& place = socket.context<Place>();
    if (place.isJoining) return std::nullopt;
    return own(socket).dump();
  }
  void onAdopt(WebSocketConnection& socket, std::string_view state) override {
    const json person = json::parse(state);
    socket.context<Place>() = {person.at("room"), person.at("name")};
    if (!socket.context<Place>().room.empty()) {
      tellHost("moved", own(socket).dump());
    }
  }

 protected:
  // What it missed is in the history when it comes back.
  void onBufferFull(TcpConnection& tcp) override {
    WebSocketWorker::onBufferFull(tcp);
    if (WebSocketConnection* const slow = findWebSocket(tcp.id())) {
      slow->close(WebSocketCode::kPolicy, "it reads too slowly");
    }
  }

 private:
  // Of a connection; empty until it has asked to join.
  struct Place {
    std::string room;
    std::string name;
    bool isJoining = false;
  };

  // Whom the master is told of.
  static json own(WebSocketConnection& socket) {
    const Place& place = socket.context<Place>();
    return {{"room", place.room},
            {"name", place.name},
            {"socket", socket.id().value()}};
  }

  void join(WebSocketConnection& socket, const json& request) {
    const std::string* const wanted = textOf(request, "name");
    const std::string* const where = textOf(request, "room");
    const std::string* const key = textOf(request, "key");
    if (wanted == nullptr || where == nullptr ||
        (key != nullptr && key->size() > kMaxKey) ||
        !socket.context<Place>().room.empty()) {
      refuse(socket);
    } else if (const auto why = problemWithName(*wanted); !why.empty()) {
      sendError(socket, "name", why);
    } else if (const auto whyNot = problemWithName(*where); !whyNot.empty()) {
      sendError(socket, "room", whyNot);
    } else {
      socket.context<Place>() = {*where, *wanted, true};
      askToJoin(socket, key == nullptr ? std::string() : *key);
    }
  }

  void askToJoin(WebSocketConnection& socket, const std::string& key) {
    json person = own(socket);
    person["key"] = key;
    // What it says meanwhile waits.
    socket.tcp().pauseRecv();
    messenger().request(0, "join", person.dump(),
                        [this, id = socket.id()](const Answer& answer) {
                          WebSocketConnection* const asker = findWebSocket(id);
                          if (asker != nullptr) onJoined(*asker, answer);
                        });
  }

  void onJoined(WebSocketConnection& socket, const Answer& answer) {
    Place& place = socket.context<Place>();
    place.isJoining = false;
    socket.tcp().resumeRecv();
    if (answer.status == Answer::Status::kOk) {
      socket.subscribe(place.room);
      socket.send(answer.value.view());
    } else if (answer.status == Answer::Status::kError) {
      place = {};
      socket.send(answer.value.view());
    } else {
      socket.close(WebSocketCode::kTryAgainLater, "the chat is busy");
    }
  }

  void say(WebSocketConnection& socket, const json& request) {
    const std::string* const id = textOf(request, "id");
    const std::string* const text = textOf(request, "text");
    if (socket.context<Place>().room.empty() || id == nullptr || id->empty() ||
        id->size() > kMaxKey || text == nullptr) {
      refuse(socket);
    } else if (const auto why = problemWithLine(*text); !why.empty()) {
      sendError(socket, "text", why, *id);
    } else {
      json line = own(socket);
      line["id"] = *id;
      line["text"] = *text;
      messenger().request(
          0, "say", line.dump(),
          [this, sender = socket.id(), id = *id](const Answer& answer) {
            onSaid(sender, id, answer);
          });
    }
  }

  // The line itself comes as everybody hears it, by "tell".
  void onSaid(ConnectionId sender, std::string_view id, const Answer& answer) {
    WebSocketConnection* const socket = findWebSocket(sender);
    if (socket == nullptr) return;
    if (answer.status == Answer::Status::kRefused) {
      sendError(*socket, "text", "The chat is busy. Say it again.", id);
    } else if (answer.status == Answer::Status::kOk &&
               !answer.value.view().empty()) {
      socket->send(answer.value.view());
    }
  }

  // Must not be lost, nor overtake one another: a name would stay taken.
  void tellHost(const std::string& what, const std::string& person) {
    if (!untold_.empty() ||
        messenger().send(0, what, person) == Messenger::Result::kFull) {
      untold_.emplace_back(what, person);
    }
  }

  std::optional<ChatHost> host_;  // of the master; the workers' copies rest
  brigade::HttpRouter router_;
  brigade::HttpResponse page_;
  // What the master has not been told, and of whom.
  std::vector<std::pair<std::string, std::string>> untold_;
};

int main(int argc, char** argv) {
  Chat chat;
  return brigade::run(argc, argv, {&chat});
}
