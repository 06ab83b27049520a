#pragma once

// Service: a Worker as the master has prepared it: everything looked up, bound
// and checked, before the first fork. Worker processes inherit it.

#include <chrono>
#include <memory>
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

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {

class Configuration;

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
// Brings the socket of the slot in `correlation`: accept from it too, until its
// own process is back.
constexpr auto kAcceptFor = static_cast<FrameKind>(70);
constexpr auto kAcceptNoMore = static_cast<FrameKind>(71);
// From a worker process: reload the program.
constexpr auto kAskReload = static_cast<FrameKind>(72);
// As kReopenLog: what stdout and stderr are from now on.
constexpr auto kReopenOutput = static_cast<FrameKind>(73);
}  // namespace frames

// Settings of a Worker as they were at the start.
struct FixedSettings {
  explicit FixedSettings(const Worker& worker);

  std::string address;
  std::string name;
  std::string user;
  std::string group;
  std::string event;
  AcceptMode acceptMode;
  bool reloadable;
  int backlog;
  mode_t socketMode;
  bool tcpNoDelay;
  std::chrono::milliseconds tcpKeepAlive;
};

struct Service {
  // Throws what is wrong with the Worker's settings: BadAddress,
  // UnknownProtocol, UnknownEventLoop, UnknownUser, std::invalid_argument; of a
  // setting that stands in the file, with its line (useFrom()). Opens nothing.
  Service(Worker& theWorker, const std::string& programName,
          const std::string& programEvent,
          const Configuration* theFile = nullptr);

  // The loop that `event` names. Throws UnknownEventLoop, which lists those
  // that are registered too, or what the program's own factory throws.
  std::unique_ptr<EventInterface> makeLoop() const;
  // What the Worker itself needs, in the run directory. Throws what is wrong.
  void prepare() { worker->prepareBuiltins(*this); }
  // Where the Worker keeps something by itself: NAME.KIND in the run directory.
  // Throws std::runtime_error when another Worker of the program has that name:
  // nobody has said that the two are to share it.
  std::string claimPath(std::string_view kind) const;
  // Throws CannotListen, or that with the line of the file.
  void listen();
  // Sockets for more processes than there were. Throws CannotListen.
  void listenMore(unsigned processes);
  bool hasSocketForEach() const {
    return address && (fixed.acceptMode == AcceptMode::kReusePort ||
                       fixed.acceptMode == AcceptMode::kSticky);
  }
  // New connections come to the sockets of the first so many processes. Throws
  // CannotListen.
  void steerTo(unsigned processes);
  // Settings that were changed since, and that no reload reads again: "address,
  // user".
  std::string changedSettings() const;
  // In a worker process: lets go of the sockets of its siblings.
  void keepListenerOf(unsigned slot);
  // What `count` of the Worker means now.
  unsigned wantedCount() const;
  // The socket of a process; null for a background Worker.
  const Listener* listener(unsigned slot) const;
  // Over execve(2): sockets, figures, lock. Reading: in place of listen() and
  // makeScores(), and then applyListenOptions() is for what may be another now.
  void carry(Archive& archive);
  void applyListenOptions();  // Throws CannotListen.
  // In a child: the memory stays, its descriptors go.
  void closeMemoryInChild();
  // Makes room for what `processes` write down.
  void makeScores(unsigned processes);
  // Where the process in that seat of the slot writes: a page has one writer.
  Score& score(unsigned slot, unsigned seat) const {
    return (*scores[slot])[seat];
  }
  // With the port that the kernel picked; empty for a background Worker.
  std::string addressText() const;
  std::string countText() const;  // "1 process", "4 processes"

  ListenOptions listenOptions() const;
  std::string placeOf(const std::string& setting) const;

  Worker* worker;
  const Configuration* configuration;  // null: there is none
  FixedSettings fixed;
  std::string name;
  unsigned count;
  std::string event;
  Identity identity;
  std::optional<Address> address;
  ProtocolFactory factory;
  std::vector<Listener> listeners;
  // How many of them get new connections; 0: all, as the kernel likes.
  unsigned steeredTo = 0;
  std::optional<SharedArray<AcceptLock>> lock;  // of one; kLocked only
  std::chrono::milliseconds stopTimeout{};
  std::string runDirectory;
  std::set<std::string>* claimed = nullptr;  // paths, by all Workers
  unsigned group = 0;                        // in the Supervisor
  std::vector<std::unique_ptr<SharedArray<Score>>> scores;  // by slot

 private:
  void checkKeepAlive() const;
  void findAddress();
  Identity findIdentity() const;
  std::unique_ptr<EventInterface> makeKnownLoop() const;
  void openListeners();
};

}  // namespace brigade::detail
