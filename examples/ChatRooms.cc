#include "ChatRooms.h"

#include <algorithm>
#include <utility>

const ChatPerson* ChatRoom::find(std::string_view name) const {
  const auto found = people_.find(name);
  return found == people_.end() ? nullptr : &found->second;
}

bool ChatRoom::sits(std::string_view name, const ChatSeat& seat) const {
  const ChatPerson* const there = find(name);
  return there != nullptr && there->seat == seat;
}

void ChatRoom::enter(const std::string& name, ChatPerson person) {
  people_.insert_or_assign(name, std::move(person));
}

void ChatRoom::leave(std::string_view name) {
  const auto found = people_.find(name);
  if (found != people_.end()) people_.erase(found);
}

std::set<unsigned> ChatRoom::indexes() const {
  std::set<unsigned> all;
  for (const auto& [name, person] : people_) {
    all.insert(person.seat.process.index);
  }
  return all;
}

std::vector<std::string> ChatRoom::peopleAt(const ChatProcess& process) const {
  std::vector<std::string> names;
  for (const auto& [name, person] : people_) {
    if (person.seat.process == process) names.push_back(name);
  }
  return names;
}

const ChatLine* ChatRoom::find(std::string_view from,
                               std::string_view id) const {
  const auto found = std::find_if(
      lines_.begin(), lines_.end(),
      [&](const ChatLine& line) { return line.from == from && line.id == id; });
  return found == lines_.end() ? nullptr : &*found;
}

const ChatLine& ChatRoom::add(ChatLine line) {
  if (lines_.size() == kMaxLines) lines_.pop_front();
  return lines_.emplace_back(std::move(line));
}

ChatRoom* ChatRooms::find(std::string_view name) {
  const auto found =
      std::find_if(rooms_.begin(), rooms_.end(),
                   [&](const ChatRoom& room) { return room.name() == name; });
  return found == rooms_.end() ? nullptr : &*found;
}

ChatRoom* ChatRooms::open(const std::string& name) {
  const auto found =
      std::find_if(rooms_.begin(), rooms_.end(),
                   [&](const ChatRoom& room) { return room.name() == name; });
  if (found != rooms_.end()) {
    rooms_.splice(rooms_.end(), rooms_, found);
  } else {
    if (rooms_.size() == kMaxRooms && !forgetOne()) return nullptr;
    rooms_.emplace_back(name);
  }
  return &rooms_.back();
}

bool ChatRooms::forgetOne() {
  const auto empty =
      std::find_if(rooms_.begin(), rooms_.end(),
                   [](const ChatRoom& room) { return room.people().empty(); });
  if (empty == rooms_.end()) return false;
  rooms_.erase(empty);
  return true;
}
