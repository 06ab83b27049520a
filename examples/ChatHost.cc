#include "ChatHost.h"

#include <chrono>
#include <utility>

namespace {

using brigade::Letter;
using brigade::Member;
using brigade::Reply;
using nlohmann::json;

std::int64_t now() {
  using std::chrono::milliseconds;
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(time).count();
}

json toJson(const ChatLine& line) {
  return {{"type", "line"},
          {"from", line.from},
          {"id", line.id},
          {"text", line.text},
          {"time", line.time}};
}

json welcome(const ChatRoom& room, const std::string& own) {
  json here = json::array();
  for (const auto& [name, person] : room.people()) here.push_back(name);
  json lines = json::array();
  for (const ChatLine& line : room.lines()) lines.push_back(toJson(line));
  return {{"type", "welcome"},
          {"room", room.name()},
          {"name", own},
          {"here", here},
          {"lines", lines}};
}

std::string error(std::string_view about, std::string_view text) {
  return json({{"type", "error"}, {"about", about}, {"text", text}}).dump();
}

ChatProcess processOf(const Member& member) {
  return {member.index, member.generation};
}

ChatSeat seatOf(const Letter& letter, const json& request) {
  return {processOf(letter.from), request.at("socket")};
}

}  // namespace

ChatHost::ChatHost(brigade::Messenger& messenger) : messenger_(messenger) {
  messenger_.answer("join", [this](const Letter& letter, const Reply& reply) {
    join(letter, reply);
  });
  messenger_.answerWith("say",
                        [this](const Letter& letter) { return say(letter); });
  messenger_.on("leave", [this](const Letter& letter) { leave(letter); });
  messenger_.on("moved", [this](const Letter& letter) { moved(letter); });
  messenger_.onOffline([this](const Member& member, std::string_view) {
    forget(processOf(member));
  });
  messenger_.onRoom([this](unsigned index) { onRoom(index); });
}

std::string ChatHost::save() {
  json rooms = json::array();
  for (const ChatRoom& room : rooms_.all()) {
    json people = json::array();
    for (const auto& [name, person] : room.people()) {
      people.push_back({{"name", name},
                        {"key", person.key},
                        {"index", person.seat.process.index},
                        {"generation", person.seat.process.generation},
                        {"socket", person.seat.socket}});
    }
    json lines = json::array();
    for (const ChatLine& line : room.lines()) lines.push_back(toJson(line));
    rooms.push_back(
        {{"name", room.name()}, {"people", people}, {"lines", lines}});
  }
  return json({{"rooms", rooms}, {"behind", behind_}}).dump();
}

void ChatHost::restore(std::string_view saved) {
  const json state = json::parse(saved);
  for (const json& each : state.at("rooms")) {
    ChatRoom* const room = rooms_.open(each.at("name"));
    if (room == nullptr) continue;
    for (const json& person : each.at("people")) {
      const ChatProcess process{person.at("index"), person.at("generation")};
      room->enter(person.at("name"),
                  {{process, person.at("socket")}, person.at("key")});
    }
    for (const json& line : each.at("lines")) {
      room->add(
          {line.at("from"), line.at("id"), line.at("text"), line.at("time")});
    }
  }
  state.at("behind").get_to(behind_);
}

void ChatHost::join(const Letter& letter, const Reply& reply) {
  const json request = json::parse(letter.data);
  const std::string name = request.at("name");
  const std::string key = request.at("key");
  ChatRoom* const room = rooms_.open(request.at("room"));
  if (room == nullptr) {
    reply.fail(error("room", "There are too many rooms."));
    return;
  }
  const ChatPerson* const there = room->find(name);
  const bool isBack = there != nullptr && !key.empty() && there->key == key;
  if (there != nullptr && !isBack) {
    reply.fail(error("name", "Somebody in this room has that name."));
    return;
  }
  if (isBack) {
    replace(there->seat);
  } else if (room->isFull()) {
    reply.fail(error("room", "This room is full."));
    return;
  } else {
    tell(*room, {{"type", "joined"}, {"name", name}});
  }
  room->enter(name, {seatOf(letter, request), key});
  reply.send(welcome(*room, name).dump());
}

std::string ChatHost::say(const Letter& letter) {
  const json said = json::parse(letter.data);
  const std::string name = said.at("name");
  const std::string id = said.at("id");
  ChatRoom* const room = rooms_.find(said.at("room").get<std::string>());
  // Somebody who has come back elsewhere says it there again.
  if (room == nullptr || !room->sits(name, seatOf(letter, said))) return {};
  // Sent again over a new connection: everybody else has it.
  const ChatLine* const known = room->find(name, id);
  if (known != nullptr) return toJson(*known).dump();
  tell(*room, toJson(room->add({name, id, said.at("text"), now()})));
  return {};
}

void ChatHost::leave(const Letter& letter) {
  const json request = json::parse(letter.data);
  const std::string name = request.at("name");
  ChatRoom* const room = rooms_.find(request.at("room").get<std::string>());
  if (room != nullptr && room->sits(name, seatOf(letter, request))) {
    remove(*room, name);
  }
}

void ChatHost::moved(const Letter& letter) {
  const json request = json::parse(letter.data);
  const std::string name = request.at("name");
  const ChatSeat seat = seatOf(letter, request);
  ChatRoom* const room = rooms_.open(request.at("room"));
  if (room == nullptr) return;
  const ChatPerson* const there = room->find(name);
  if (there == nullptr) {
    tell(*room, {{"type", "joined"}, {"name", name}});
    room->enter(name, {seat, {}});
  } else if (there->seat.process.index == seat.process.index &&
             there->seat.socket == seat.socket) {
    room->enter(name, {seat, there->key});
  } else {
    // Meanwhile the person has come back over another connection.
    replace(seat);
  }
}

// The process has ended, and could perhaps not say who has left.
void ChatHost::forget(const ChatProcess& process) {
  if (behind_.erase(process.index) > 0) post(process.index, "missed", {});
  for (ChatRoom& room : rooms_.all()) {
    for (const std::string& name : room.peopleAt(process)) remove(room, name);
  }
}

void ChatHost::remove(ChatRoom& room, const std::string& name) {
  room.leave(name);
  tell(room, {{"type", "left"}, {"name", name}});
}

// That process alone: in another one the connection is somebody else's.
void ChatHost::replace(const ChatSeat& seat) {
  const Member member{.index = seat.process.index,
                      .generation = seat.process.generation};
  messenger_.send(member, "replaced", std::to_string(seat.socket));
}

void ChatHost::tell(const ChatRoom& room, const json& message) {
  const std::string letter = room.name() + '\n' + message.dump();
  for (const unsigned index : room.indexes()) post(index, "tell", letter);
}

void ChatHost::post(unsigned index, std::string_view event,
                    std::string_view data) {
  if (behind_.contains(index)) return;
  const auto result = messenger_.send(index, event, data);
  if (result == brigade::Messenger::Result::kFull) behind_.insert(index);
}

void ChatHost::onRoom(unsigned index) {
  if (behind_.erase(index) > 0) post(index, "missed", {});
}
