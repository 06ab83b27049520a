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
// One process, since it keeps its rooms itself: with --workers 2 there would be
// two of each name, and a process that ends takes its history with it. The page
// comes back by itself. Its WebSocket is /socket.

#include <brigade/brigade.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "ChatPage.h"
#include "ChatRooms.h"
#include "ChatText.h"

namespace {

using brigade::HttpConnection;
using brigade::HttpRequest;
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

json toJson(const ChatLine& line) {
  return {{"type", "line"},
          {"from", line.from},
          {"id", line.id},
          {"text", line.text},
          {"time", line.time}};
}

std::int64_t now() {
  using std::chrono::milliseconds;
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(time).count();
}

void send(WebSocketConnection& socket, const json& message) {
  socket.send(message.dump());
}

void sendError(WebSocketConnection& socket, std::string_view about,
               std::string_view text, std::string_view id = {}) {
  json error = {{"type", "error"}, {"about", about}, {"text", text}};
  if (!id.empty()) error["id"] = id;
  send(socket, error);
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
    const auto& [room, own] = socket.context<Place>();
    if (room != nullptr && room->leave(own, socket.id())) {
      tell(*room, {{"type", "left"}, {"name", own}});
    }
  }

 protected:
  // What it missed is in the history when it comes back.
  void onBufferFull(brigade::TcpConnection& tcp) override {
    WebSocketWorker::onBufferFull(tcp);
    if (WebSocketConnection* const slow = findWebSocket(tcp.id())) {
      slow->close(WebSocketCode::kPolicy, "it reads too slowly");
    }
  }

 private:
  // Of a connection.
  struct Place {
    ChatRoom* room = nullptr;  // until it has joined
    std::string name;
  };

  void tell(const ChatRoom& room, const json& message) {
    publish(room.name(), message.dump());
  }

  void join(WebSocketConnection& socket, const json& request) {
    const std::string* const wanted = textOf(request, "name");
    const std::string* const where = textOf(request, "room");
    const std::string* const key = textOf(request, "key");
    if (wanted == nullptr || where == nullptr ||
        (key != nullptr && key->size() > kMaxKey) ||
        socket.context<Place>().room != nullptr) {
      refuse(socket);
    } else if (const auto why = problemWithName(*wanted); !why.empty()) {
      sendError(socket, "name", why);
    } else if (const auto whyNot = problemWithName(*where); !whyNot.empty()) {
      sendError(socket, "room", whyNot);
    } else if (ChatRoom* const room = rooms_.open(*where)) {
      enter(socket, *room, *wanted, key == nullptr ? std::string() : *key);
    } else {
      sendError(socket, "room", "There are too many rooms.");
    }
  }

  void enter(WebSocketConnection& socket, ChatRoom& room,
             const std::string& wanted, const std::string& key) {
    const ChatPerson* const there = room.find(wanted);
    const bool isBack = there != nullptr && !key.empty() && there->key == key;
    if (there != nullptr && !isBack) {
      sendError(socket, "name", "Somebody in this room has that name.");
      return;
    }
    if (!isBack && room.isFull()) {
      sendError(socket, "room", "This room is full.");
      return;
    }
    if (!isBack) {
      tell(room, {{"type", "joined"}, {"name", wanted}});
    } else if (WebSocketConnection* const old = findWebSocket(there->socket)) {
      old->unsubscribe(room.name());
      old->close(kTakenOver, "continued elsewhere");
    }
    room.enter(wanted, {socket.id(), key});
    socket.context<Place>() = {&room, wanted};
    socket.subscribe(room.name());
    welcome(socket, room, wanted);
  }

  static void welcome(WebSocketConnection& socket, const ChatRoom& room,
                      const std::string& own) {
    json here = json::array();
    for (const auto& [person, place] : room.people()) here.push_back(person);
    json lines = json::array();
    for (const ChatLine& line : room.lines()) lines.push_back(toJson(line));
    send(socket, {{"type", "welcome"},
                  {"room", room.name()},
                  {"name", own},
                  {"here", here},
                  {"lines", lines}});
  }

  void say(WebSocketConnection& socket, const json& request) {
    const auto& [room, own] = socket.context<Place>();
    const std::string* const id = textOf(request, "id");
    const std::string* const text = textOf(request, "text");
    if (room == nullptr || id == nullptr || id->empty() ||
        id->size() > kMaxKey || text == nullptr) {
      refuse(socket);
    } else if (const auto why = problemWithLine(*text); !why.empty()) {
      sendError(socket, "text", why, *id);
    } else if (const ChatLine* const known = room->find(own, *id)) {
      // Sent again over a new connection: everybody else has it.
      send(socket, toJson(*known));
    } else {
      tell(*room, toJson(room->add({own, *id, *text, now()})));
    }
  }

  brigade::HttpRouter router_;
  brigade::HttpResponse page_;
  ChatRooms rooms_;
};

int main(int argc, char** argv) {
  Chat chat;
  return brigade::run(argc, argv, {&chat});
}
