#pragma once

// Service: a Worker as the master has prepared it: everything looked up, bound
// and checked, before the first fork. Worker processes inherit it.

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Connection/AcceptLock.h"
#include "brigade/Connection/Address.h"
#include "brigade/Connection/Listener.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/Privileges.h"
#include "brigade/Process/SharedMemory.h"
#include "brigade/Protocol/ProtocolRegistry.h"
#include "brigade/Worker/Worker.h"
#include "brigade/Worker/detail/Scoreboard.h"

namespace brigade::detail {

// Frames between the master and its worker processes, besides Supervisor's.
namespace frames {
// Brings the descriptor of the new log: the worker's user may not open it.
constexpr auto kReopenLog = static_cast<FrameKind>(64);
constexpr auto kReloadNotice = static_cast<FrameKind>(65);
// Asks for connections from a place in the table on, and is answered with lines
// of JSON, and then with the next place to ask for or with the end: the master
// sets the pace, so a list of any length fits through the channel.
constexpr auto kListConnections = static_cast<FrameKind>(66);
constexpr auto kConnectionLines = static_cast<FrameKind>(67);
constexpr auto kMoreConnections = static_cast<FrameKind>(68);
constexpr auto kConnectionsEnd = static_cast<FrameKind>(69);
// Accept from the socket of the slot in `correlation` too, until its own
// process is back.
constexpr auto kAcceptFor = static_cast<FrameKind>(70);
constexpr auto kAcceptNoMore = static_cast<FrameKind>(71);
}  // namespace frames

struct Service {
  // Throws what is wrong with the Worker's settings: BadAddress,
  // UnknownProtocol, UnknownEventLoop, UnknownUser. Opens nothing.
  Service(Worker& theWorker, const std::string& programName,
          const std::string& programEvent);

  // What the Worker itself needs, in the run directory. Throws what is wrong.
  void prepare() { worker->prepareBuiltins(*this); }
  // Where the Worker keeps something by itself: NAME.KIND in the run directory.
  // Throws std::runtime_error when another Worker of the program has that name:
  // nobody has said that the two are to share it.
  std::string claimPath(std::string_view kind) const;
  // Throws CannotListen.
  void listen();
  // The socket of a process; null for a background Worker.
  const Listener* listener(unsigned slot) const;
  // Where a process of that generation writes. Two generations overlap in a
  // reload, and a page has one writer: they take turns.
  Score& score(unsigned slot, unsigned generation) const {
    return scores[kScoresPerSlot * slot + generation % kScoresPerSlot];
  }
  // With the port that the kernel picked; empty for a background Worker.
  std::string addressText() const;

  Worker* worker;
  std::string name;
  unsigned count;
  std::string event;
  Identity identity;
  std::optional<Address> address;
  ProtocolFactory factory;
  std::vector<Listener> listeners;
  std::optional<SharedArray<AcceptLock>> lock;  // of one; kLocked only
  std::chrono::milliseconds stopTimeout{};
  std::string runDirectory;
  std::set<std::string>* claimed = nullptr;  // paths, by all Workers
  unsigned group = 0;                        // in the Supervisor
  Score* scores = nullptr;                   // of its first slot
};

}  // namespace brigade::detail
