#pragma once

// ChatRooms: who is in which room of the chat, and what was said there last. In
// the memory of the master, which has them for all worker processes: ChatHost.
// A room stays when the last person leaves, so that its history does, until
// others need the place.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct ChatLine {
  std::string from;
  std::string id;  // the sender's own; the same line sent again has the same
  std::string text;
  std::int64_t time;  // ms since 1970
};

// A worker process, and none of its successors: see brigade::Member. Somebody
// whose connection goes to the successor has another seat then.
struct ChatProcess {
  unsigned index = 0;
  unsigned generation = 0;

  auto operator<=>(const ChatProcess&) const = default;
};

// Where somebody's connection is.
struct ChatSeat {
  ChatProcess process;
  std::uint64_t socket = 0;  // brigade::ConnectionId::value()

  auto operator<=>(const ChatSeat&) const = default;
};

struct ChatPerson {
  ChatSeat seat;
  // A secret of the person's page, which lets it come back under its name while
  // the connection that it lost still counts as open. Empty: none.
  std::string key;
};

class ChatRoom {
 public:
  static constexpr std::size_t kMaxPeople = 200;  // each line goes to all
  static constexpr std::size_t kMaxLines = 50;

  using People = std::map<std::string, ChatPerson, std::less<>>;

  explicit ChatRoom(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const People& people() const { return people_; }
  const std::deque<ChatLine>& lines() const { return lines_; }

  // Null when nobody there has the name.
  const ChatPerson* find(std::string_view name) const;
  // Whether the name is, and still is, that connection's.
  bool sits(std::string_view name, const ChatSeat& seat) const;
  bool isFull() const { return people_.size() >= kMaxPeople; }
  // In place of whoever had the name.
  void enter(const std::string& name, ChatPerson person);
  void leave(std::string_view name);
  // Indexes of the processes that people of this room are connected to.
  std::set<unsigned> indexes() const;
  // Who is connected to that one.
  std::vector<std::string> peopleAt(const ChatProcess& process) const;

  // Null when it is not among the last kMaxLines.
  const ChatLine* find(std::string_view from, std::string_view id) const;
  const ChatLine& add(ChatLine line);

 private:
  std::string name_;
  People people_;
  std::deque<ChatLine> lines_;  // the oldest first
};

class ChatRooms {
 public:
  // Times kMaxLines lines: 20 MB of history at most.
  static constexpr std::size_t kMaxRooms = 200;

  // The room, for somebody to enter; made when there is none. Over kMaxRooms
  // the empty one is forgotten that nobody has entered for longest; null when
  // none is empty. A room is good until it is empty and this is called again.
  ChatRoom* open(const std::string& name);
  // Null when there is none.
  ChatRoom* find(std::string_view name);
  std::list<ChatRoom>& all() { return rooms_; }

 private:
  bool forgetOne();

  std::list<ChatRoom> rooms_;  // last the one that was opened last
};
