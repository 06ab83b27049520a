#pragma once

// ChatHost: the half of the chat that is in the master. It has the rooms: so
// there is one of each, one order of what happens there, and no worker process
// takes them along when it dies.
//
// A worker process tells it, as JSON, of one of its connections ("socket"):
//   request "join"   {"room","name","key","socket"}
//           answer: the welcome, or it fails: the error; for that connection
//   request "say"    {"room","name","socket","id","text"}
//           answer: the line, when it was known already, or else nothing
//   letter  "leave"  {"room","name","socket"}
//   letter  "moved"  {"room","name","socket"}: it has that connection from the
//           process that was at its index before
// and hears
//   letter  "tell"      ROOM, a newline (no name has one), a message for
//                       everybody there
//   letter  "replaced"  SOCKET: whose person has come back over another
//   letter  "missed"    some of all this was lost on the way to the process
//
// Letters go to an index, whichever process is there: while connections move
// the next one has them all, when it has the connections too. What it tells of
// them is here before the end of the one before is.
//
// The answer to "join" stands among the "tell" at the place where the person
// came in: who subscribes then has every line once, here or in the welcome.

#include <brigade/brigade.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "ChatRooms.h"

class ChatHost {
 public:
  // In the master, whose messenger this is and outlives it.
  explicit ChatHost(brigade::Messenger& messenger);
  ChatHost(const ChatHost&) = delete;
  ChatHost& operator=(const ChatHost&) = delete;

  // All rooms, for the host in newer code of the program, which begins with
  // them. restore() throws what is wrong with them.
  std::string save();
  void restore(std::string_view saved);

 private:
  void join(const brigade::Letter& letter, const brigade::Reply& reply);
  std::string say(const brigade::Letter& letter);
  void leave(const brigade::Letter& letter);
  void moved(const brigade::Letter& letter);
  void forget(const ChatProcess& process);

  void replace(const ChatSeat& seat);
  void remove(ChatRoom& room, const std::string& name);
  void tell(const ChatRoom& room, const nlohmann::json& message);
  void post(unsigned index, std::string_view event, std::string_view data);
  void onRoom(unsigned index);

  brigade::Messenger& messenger_;
  ChatRooms rooms_;
  // For whom too much waits. They get nothing more until there is room to say
  // that they have missed something: a line behind a gap would be worse.
  std::set<unsigned> behind_;  // indexes
};
