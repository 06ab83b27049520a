#pragma once

// ProgramChannel: the master's end of the channel to a program (Program.h says
// what goes through it). Never blocks, and trusts nothing that it reads: what
// breaks the rules is reported, and nothing more is read or sent. A program
// that sends too much is not read for the rest of the second.

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Program.h"

namespace brigade {

class Archive;

// None of these may destroy the channel.
class ProgramChannelHandler {
 public:
  virtual void onMessage(std::string_view event, std::string_view data) = 0;
  // The last call: the program broke the rules.
  virtual void onBadMessage(std::string_view reason) = 0;

 protected:
  ~ProgramChannelHandler() = default;
};

class ProgramChannel final : private Watcher {
 public:
  using Result = ProgramPost::Result;

  struct Pair {
    FileDescriptor master;
    FileDescriptor program;
  };
  // Both close-on-exec and blocking. Throws std::system_error.
  static Pair makePair();

  // `maxPerSecond` as in Program.
  ProgramChannel(EventInterface& loop, FileDescriptor fd,
                 std::size_t maxPerSecond, ProgramChannelHandler& handler);
  ~ProgramChannel();

  Result send(std::string_view event, std::string_view data);

  // Delivers the last words of a dead program, and closes.
  void drain();

  // Over execve(2): what waits. The descriptor is its owner's to carry.
  void carry(Archive& archive);
  int fd() const { return fd_.get(); }

  // In a child that inherited this end: closes its copy.
  void closeInChild() { fd_.reset(); }

 private:
  enum class Step : std::uint8_t { kMessage, kEmpty, kGone };

  void onReady(Ready ready) override;
  void receive(std::size_t most);
  Step receiveOne();
  bool isOverAllowance();
  void beginSecond();
  bool transmit(std::string_view datagram);
  void flush();
  void watch();
  void bad(std::string_view reason);
  void close();

  EventInterface& loop_;
  FileDescriptor fd_;
  std::size_t maxPerSecond_;
  ProgramChannelHandler& handler_;
  std::deque<std::string> queue_;  // datagrams
  std::size_t queuedBytes_ = 0;

  Clock::time_point second_{};  // when the present one began
  std::size_t inSecond_ = 0;    // messages
  int fullSeconds_ = 0;         // one after the other
  bool paused_ = false;
  TimerId resume_{};
};

}  // namespace brigade
