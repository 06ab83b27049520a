#pragma once

// Worker: the class a program subclasses. One service: an address, a protocol,
// callbacks, and `count` processes that run it. The object is made in the
// master before the fork; every worker process has its own copy of it, so what
// one changes no other sees. The settings below are read by run(); changing one
// in a worker process changes nothing. Those marked R are read again for each
// reload, so onMasterReload may change them; a change of another one waits for
// the next start.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Connection/ConnectionHandler.h"
#include "brigade/Connection/ConnectionId.h"
#include "brigade/Connection/TcpConnection.h"
#include "brigade/Events/Coroutine.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/Messenger.h"
#include "brigade/Process/RestartPolicy.h"
#include "brigade/Process/SharedState.h"
#include "brigade/Protocol/ProtocolRegistry.h"

namespace brigade {

class HttpWorker;
namespace detail {
class Configuration;
class Master;
struct Service;
class WorkerProcess;
}  // namespace detail

enum class AcceptMode : std::uint8_t {
  // A socket of its own for each process, made and kept by the master: the
  // kernel spreads connections evenly, and none is lost over a reload. A Unix
  // socket has one queue only and is shared.
  kReusePort,
  // The same, and all connections of one client's address, IPv4 or IPv6, come
  // to
  // one process, for as long as `count` stays. While that process is away a
  // sibling has them. Clients behind one address are one client.
  kSticky,
  // One socket for all. Where the loop can (epoll), one process wakes up.
  kShared,
  // One socket for all, and a lock: one process accepts at a time.
  kLocked,
};

// How a connection of a process that is being drained comes to its end.
enum class Drain : std::uint8_t {
  kWhenQuiet,  // closed when nothing moved for a quarter of a second, unless
               // the drain is a graceful one
  kByItself,   // its program closes it
};

// What a worker process does after an exception that left a callback.
enum class AfterException : std::uint8_t {
  kContinue,  // the connection of the callback is closed, and that is all
  kDrain,     // it accepts no more, is followed by another process, finishes
              // what is in flight and ends within the stop time-out
  kAbort,     // it ends at once, with exit status 70 (sysexits.h)
};

class Worker : public ConnectionHandler {
 public:
  // "text://0.0.0.0:5678": see Address.h. Without an address the Worker is a
  // background process: a loop, timers and whatever it adds to them.
  explicit Worker(std::string address = {});
  virtual ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // ---- Settings

  std::string address;
  std::string name;  // in status, titles and logs; empty: the program's
  // Of processes; 0: one for each processor. R: more get indexes that are free
  // over the whole program, of fewer the last ones are drained.
  unsigned count = 1;
  std::string user;   // to run as; empty: as the master
  std::string group;  // empty: the user's own
  AcceptMode acceptMode = AcceptMode::kReusePort;
  bool reloadable = true;  // false: a reload calls onWorkerReload only
  // kOnce is for a Worker without an address that has a job to do: it calls
  // retire() when it is done, or stops its loop(), and no other process
  // follows. One that fails before that (an exception in onWorkerStart, another
  // exit status, a signal) is followed as ever. A reload does not replace it.
  RestartPolicy restart = RestartPolicy::kKeepalive;
  int backlog = 1024;  // of the accept queue; net.core.somaxconn bounds it
  mode_t socketMode = 0660;  // of a Unix socket's file, owned by user:group
  // Of TCP. False: small pieces wait for each other (Nagle's algorithm).
  bool tcpNoDelay = true;
  // Of TCP: the kernel asks a peer that was silent for so long whether it is
  // still there, four times over as long again; one that says nothing is closed
  // like one that has left. For peers whose network is gone, where idleTimeout
  // would close quiet ones too. Whole seconds, up to 32767; zero: never.
  std::chrono::milliseconds tcpKeepAlive{0};
  // R: in each process; over it, connections wait in the accept queue. 0: as
  // many as there are descriptors.
  std::size_t maxConnections = 0;
  std::size_t maxSendBufferSize = 1024 * 1024;  // R: bytes, see TcpConnection.h
  std::size_t maxPackageSize = 10 * 1024 * 1024;  // R: bytes
  std::chrono::milliseconds idleTimeout{0};       // R: zero: never
  // R: from the first byte of a package to its last; zero: none.
  std::chrono::milliseconds packageTimeout{0};
  // R: a process that has received so many messages (as `status` counts them),
  // accepted so many connections, or has so many bytes in memory, is replaced
  // as by retire(). Up to a tenth more, by chance, so that processes do not
  // leave together. 0: never.
  std::uint64_t maxRequests = 0;
  std::uint64_t maxAccepts = 0;
  std::uint64_t maxMemory = 0;
  // R: a process whose loop has not turned for so long though it is awake, or
  // that has been stopped (SIGSTOP) for so long, is killed and replaced; one
  // that a debugger holds is not. Zero: never, and nobody looks.
  std::chrono::milliseconds hangTimeout{0};
  // A process that is replaced (by a reload, restart-worker, retire()) passes
  // its connections to its successor, which goes on with them: their bytes both
  // ways, their ids and addresses. The peer notices nothing. See onHandover.
  bool handover = false;
  // Loop of this Worker's processes: see makeEventLoop() and
  // registerEventLoop(); empty: the program's.
  std::string event;

  // What the section [app] of the configuration file says, as this process
  // knows it: from onMasterStart on, in the master also what a reload has read
  // anew, from onMasterReload on. By "key", or "mail.server" for server in
  // [app.mail]; numbers are texts too. None: it is not there.
  std::optional<std::string_view> configured(std::string_view key) const;

  // A protocol of the program's own for this Worker's address. Before run().
  void registerProtocol(std::string_view scheme, ProtocolFactory factory);
  // An event loop of the program's own, for `event` of this Worker, or of the
  // program where this one names none: one is made in each of its processes;
  // before the fork, and at each check, others are made and destroyed, to see
  // that there can be one. Before run().
  void registerEventLoop(std::string_view name, EventLoopFactory factory);

  // ---- Callbacks in a worker process, besides those of ConnectionHandler.

  // Before anything is accepted: what the settings say of connections may still
  // be changed here. An exception means that the process cannot start.
  virtual void onWorkerStart() {}
  // At its end, before its connections are closed. Not after a crash.
  virtual void onWorkerStop() {}
  // The program is being reloaded. This process is about to be drained, or,
  // when it is not reloadable, goes on.
  virtual void onWorkerReload() {}

  // An exception has left a callback: `where` names it. It is logged and
  // counted, and its connection closed already. Not called any more while this
  // process drains.
  virtual AfterException onUncaughtException(std::string_view /*where*/,
                                             const std::exception_ptr&) {
    return AfterException::kContinue;
  }

  // This process is being drained: it accepts no more. Once for each open
  // connection. Whatever is left is closed half a second before the stop
  // time-out.
  virtual Drain onDrain(TcpConnection&) { return Drain::kWhenQuiet; }

  // With `handover`: this connection is about to go to the successor. What is
  // returned is what onAdopt gets there: its context and whatever else this
  // process knows of it, for the next version of the program to read. None: it
  // stays, and is drained. By itself it goes, without a word.
  // Nothing is asked for that is closing, in a pipe or sending a file, nor when
  // its codec cannot be saved (ProtocolInterface::save): those are drained. No
  // onClose comes here for what has gone.
  virtual std::optional<std::string> onHandover(TcpConnection&) {
    return std::string();
  }
  // In the successor, in place of onConnect and before any other callback for
  // it; before new connections are accepted, and letters handled.
  virtual void onAdopt(TcpConnection&, std::string_view /*state*/) {}

  // ---- Callbacks in the master, in its loop: they must not block.

  // Before anything is bound or forked: what is made here every process has,
  // settings may still be changed, and messenger() is the master's, for
  // handlers there. An exception is the reason why the program does not start.
  virtual void onMasterStart() {}
  // A process of this Worker has ended.
  virtual void onWorkerExit(unsigned /*index*/, pid_t, const ExitStatus&) {}
  // Before the first process is replaced. The settings marked R may be changed
  // here.
  virtual void onMasterReload() {}
  // The master is about to become newer code of the program
  // (docs/processes.md). What is returned is given to onMasterAdopt() there,
  // which may be of another version; also to this code again when that one
  // fails.
  virtual std::string onMasterUpgrade() { return {}; }
  // In that code, behind onMasterStart(), with what the code before has
  // returned. Other processes cannot be reached yet. An exception has the code
  // before go on.
  virtual void onMasterAdopt(std::string_view /*state*/) {}
  // All worker processes are gone.
  virtual void onMasterStop() {}

  // ---- In a worker process, from onWorkerStart on.

  // 1..N over all worker processes of the program; kept by the successor of a
  // process that died. 0 in the master.
  unsigned index() const;
  // 1..count among the processes of this Worker.
  unsigned id() const;
  // Which process this is at its index: 1 for the first. 0 in the master, as
  // all of these.
  unsigned generation() const;
  // The process that served at this index before; 0: this is the first.
  pid_t previousPid() const;
  // Processes of this Worker when this one was forked: what `count` means.
  unsigned processCount() const;
  pid_t masterPid() const;

  // Null when it is closed. The pointer is good until the callback returns.
  TcpConnection* find(ConnectionId id);
  std::size_t connectionCount() const;

  class Connections;
  // For a range-based for: every open connection of this process, in no order.
  // Any of them may be closed meanwhile.
  Connections connections();

  TimerId addTimer(Clock::duration delay, Repeat repeat,
                   std::function<void()> callback);
  void delTimer(TimerId timer);
  // The same for a coroutine: `co_await sleepFor(std::chrono::seconds(1))`.
  auto sleepFor(Clock::duration delay) {
    return awaited<Elapsed>([this, delay](std::function<void()> done) {
      addTimer(delay, Repeat::kOnce, std::move(done));
    });
  }

  // For descriptors and signals of the program's own.
  EventInterface& loop();

  // Letters, questions and tasks for the other processes; also in the master,
  // from onMasterStart on.
  Messenger& messenger();
  // What all processes know; also in the master.
  SharedState& state();

  // Ends this process after a drain; the master forks a successor first, unless
  // this Worker is to run once.
  void retire();

  // Asks the master for a reload of the whole program, as the command does. It
  // is refused, which the log tells, while the program starts or stops.
  void requestReload();

 protected:
  // Logs, up to ten lines a second.
  void onTrouble(TcpConnection& connection, ErrorCode code,
                 std::string_view reason) override;
  void onThrown(TcpConnection& connection,
                const std::exception_ptr& exception) override;

  // For what brigade itself builds on Worker: onHandover and onAdopt, with what
  // the codec knows. The second may throw: the connection is destroyed then.
  virtual std::optional<std::string> saveConnection(TcpConnection& connection);
  virtual void restoreConnection(TcpConnection& connection,
                                 std::string_view saved);
  // Another process has it.
  virtual void forgetConnection(TcpConnection&) {}

 private:
  friend class HttpWorker;
  friend class detail::Configuration;
  friend class detail::Master;
  friend class detail::WorkerProcess;
  friend struct detail::Service;

  // For what brigade itself builds on Worker, by names that no program has for
  // something else. In the master, before the first fork: throws what is wrong.
  virtual void prepareBuiltins(const detail::Service&) {}
  // In a worker process, before onWorkerStart.
  virtual void prepareBuiltinsInProcess(detail::WorkerProcess&) {}
  ProtocolRegistry protocols_;
  std::map<std::string, EventLoopFactory, std::less<>> loops_;
  detail::WorkerProcess* process_ = nullptr;
  Messenger* messenger_ = nullptr;  // of this process
  SharedState* state_ = nullptr;
  std::map<std::string, std::string, std::less<>> app_;
};

class Worker::Connections {
 public:
  class Iterator {
   public:
    Iterator(ConnectionTable* table, std::size_t position)
        : table_(table), position_(position) {
      skipClosed();
    }
    TcpConnection& operator*() const;
    Iterator& operator++() {
      ++position_;
      skipClosed();
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    void skipClosed();

    ConnectionTable* table_;
    std::size_t position_;
  };

  explicit Connections(ConnectionTable* table) : table_(table) {}
  Iterator begin() const { return {table_, 0}; }
  Iterator end() const;
  std::size_t size() const;

 private:
  ConnectionTable* table_;  // null: no listener
};

}  // namespace brigade
