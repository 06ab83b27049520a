#pragma once

// EventInterface: all that the rest of brigade knows about readiness, timers
// and signals. One loop belongs to one process and one thread and is built
// after the fork. Every function may be called from any callback of the same
// loop unless it says otherwise. Order within a turn: expired timers, ready
// descriptors and signals, then what was deferred.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

// CLOCK_MONOTONIC: a change of the wall clock moves no timer.
using Clock = std::chrono::steady_clock;

// What a watcher waits for. kAccept is kRead on a listening socket that other
// processes wait on as well: a backend that can, wakes exactly one of them
// (EPOLLEXCLUSIVE, epoll_ctl(2)); it cannot be changed by a second add().
enum class Interest : std::uint8_t {
  kRead = 1,
  kWrite = 2,
  kReadWrite = 3,
  kAccept = 5,
};

// What a descriptor is ready for. An error or a hang-up is reported as every
// direction that was asked for: the system call that follows tells which.
struct Ready {
  bool read = false;
  bool write = false;
};

// Told when its descriptor is ready. Outlives its registration.
class Watcher {
 public:
  virtual void onReady(Ready ready) = 0;

 protected:
  ~Watcher() = default;
};

enum class TimerId : std::uint64_t {};
enum class Repeat : std::uint8_t { kOnce, kEvery };

struct Signal {
  int number;
};

// Lives in memory that the master shares: written by the loop once a turn,
// read by the master to tell a sleeping worker from one that hangs.
struct Pulse {
  std::atomic<std::uint64_t> turns{0};
  std::atomic<bool> sleeping{false};
};

class EventInterface {
 public:
  using Callback = std::function<void()>;
  using ExceptionHandler = std::function<void(std::exception_ptr)>;

  virtual ~EventInterface() = default;
  EventInterface(const EventInterface&) = delete;
  EventInterface& operator=(const EventInterface&) = delete;

  // Level-triggered. A second add() of the same descriptor replaces interest
  // and watcher. Throws std::system_error when the kernel (or the backend:
  // select knows descriptors below 1024 only) refuses the descriptor.
  virtual void add(int fd, Interest interest, Watcher& watcher) = 0;

  // The same of a descriptor that has its owner: it is known to be open, which
  // spares libev's loop a system call.
  virtual void add(const FileDescriptor& fd, Interest interest,
                   Watcher& watcher) {
    add(fd.get(), interest, watcher);
  }

  // Before the descriptor is closed. From then on its watcher is not called,
  // not even for readiness that this turn has already seen, and the number
  // may be used again at once. Unknown descriptors are ignored.
  virtual void del(int fd) = 0;

  // A repeating timer keeps its cadence: tick n is due at start + n * delay,
  // and ticks missed while the loop was busy are skipped, not made up for.
  // Timers that are due in the same turn run in the order of their due times.
  virtual TimerId add(Clock::duration delay, Repeat repeat,
                      Callback callback) = 0;

  // Also from inside the timer's own callback. Unknown ids are ignored.
  virtual void del(TimerId timer) = 0;

  // Through signalfd(2): the signal is blocked in this process until del(),
  // and the callback runs in the loop, never in a signal handler. One callback
  // a signal: a second add() replaces the first.
  virtual void add(Signal signal, Callback callback) = 0;
  virtual void del(Signal signal) = 0;

  // Runs at the end of this turn; what is deferred from a deferred callback
  // runs at the end of the next one, which does not sleep.
  virtual void defer(Callback callback) = 0;

  // Runs until stop(), which takes effect at the end of the turn. Returns at
  // once when nothing is registered that could ever wake it.
  virtual void loop() = 0;
  virtual void stop() = 0;

  // The time at which this turn began: no system call.
  virtual Clock::time_point now() const = 0;

  virtual std::size_t timerCount() const = 0;
  virtual std::string_view name() const = 0;

  // Told of every exception that leaves a callback; without one the exception
  // ends the process. The loop goes on afterwards.
  virtual void setExceptionHandler(ExceptionHandler handler) = 0;

  // From now on the loop keeps `pulse` up to date; it outlives the loop.
  virtual void setPulse(Pulse& pulse) = 0;

  // In a child, for a loop that the parent made: closes the child's copies of
  // the loop's descriptors and leaves the parent's loop as it is. Nothing else
  // may be called on it afterwards, and it is not destroyed in the child.
  virtual void abandonInChild() = 0;

 protected:
  EventInterface() = default;
};

// Makes a loop of a program's own, see Worker::registerEventLoop.
using EventLoopFactory = std::function<std::unique_ptr<EventInterface>()>;

// "unknown event loop 'kqueue': have libev, epoll, select, poll".
class UnknownEventLoop : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// "libev" (the default: libev's best backend), "epoll" (epoll(7) directly),
// or one of libev's own backends that this kernel and libev support: "select",
// "poll", "linuxaio", "iouring". Throws UnknownEventLoop.
std::unique_ptr<EventInterface> makeEventLoop(std::string_view name = "libev");

// The names that makeEventLoop accepts here, the default first.
std::vector<std::string> eventLoopNames();

}  // namespace brigade
