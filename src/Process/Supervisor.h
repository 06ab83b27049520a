#pragma once

// Supervisor: keeps the worker processes of a program alive. It lives in the
// master, in one loop, forks a child for every slot, waits for its `ready`,
// forks a successor when it dies (Backoff), replaces generations one slot at a
// time (reload) and ends them (stop). It knows nothing of sockets: a child
// runs a function. Every child is watched through its pidfd, so an exit is seen
// even while a grandchild holds the channel, and a signal cannot hit a
// stranger.
//
//   kStarting --ready--> kReady --drain/stop--> kDraining/kStopping --exit--+
//       |  died               | died                                        |
//       +------> kBackoff <---+         next child of the slot <------------+
//                 | delay over: fork, or
//                 | too many deaths in a row: kFailed
//
// During a reload a slot has two children: the one that serves and its
// successor; the first is told to drain when the second is ready. A successor
// that dies or is not ready in time is thrown away and the reload is aborted.
// In a group with `handover` there is a step between: the successor is not
// counted as ready before the first one has come to rest (kQuiet). Both are
// given the ends of one channel, over which the connections go; the cut, from
// which on all mail is the successor's, is one moment of this loop.
// A child may begin to drain by itself (kLeaving): it is followed like one
// that died, while it finishes. So a slot has up to kSeats children at once.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Backoff.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/RestartPolicy.h"
#include "brigade/Process/detail/Child.h"

namespace brigade {

class Archive;

namespace detail {
struct Slot;
}  // namespace detail

// "cannot fork worker 3: Resource temporarily unavailable".
class CannotFork : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// From a child, besides those of Channel.h: I accept nothing more, and end when
// I have finished; follow me. The payload says why.
inline constexpr auto kLeaving = static_cast<FrameKind>(16);

// Children of one slot that may be alive at the same time.
inline constexpr unsigned kSeats = 3;

// What a child is told about itself.
struct ChildPlace {
  unsigned index;  // 1..N over the whole program, kept over respawns
  unsigned slot;   // 0..count-1 within its group
  unsigned group;  // as addGroup() returned it
  // 1 for the first child of the slot, and one more for each that follows;
  // that of a successor that was thrown away is used again.
  unsigned generation;
  pid_t masterPid;
  // Below kSeats; no other living child of the slot has it.
  unsigned seat = 0;
  // The child of the slot that served before this one; 0: none has.
  pid_t previousPid = 0;
  // Slots of its group when it was forked.
  unsigned count = 1;
  // It follows one that still serves: it says kReady, and serves when it hears
  // kTakeOver.
  bool isHeir = false;
};

// Runs in the child, which has nothing of the master's but its memory: signals
// at their defaults, the master's loop abandoned, siblings' channels closed.
// `channel` is its end: it says kReady there once it serves, or kFailed and
// why it cannot. The result is the exit status of the process; an exception is
// exit status 1.
using ChildMain =
    std::function<int(const ChildPlace& place, FileDescriptor channel)>;

struct ProcessGroup {
  unsigned count = 1;
  bool reloadable = true;  // false: reload sends onReloadSkipped() only
  RestartPolicy restart = RestartPolicy::kKeepalive;
  // A child passes its connections on to the one that replaces it.
  bool handover = false;
  ChildMain main;
};

enum class Grace : std::uint8_t { kFast, kGraceful };

enum class SlotState : std::uint8_t {
  kStarting,
  kReady,
  kDraining,
  kStopping,
  kBackoff,
  kExited,   // kOnce, and done
  kStopped,  // empty until somebody asks for a child
  kFailed,   // the same, after too many deaths in a row
  kRemoved,  // empty, and to be forgotten
};
std::string_view toString(SlotState state);

struct SlotView {
  unsigned index;
  unsigned slot;
  unsigned group;
  pid_t pid;        // 0 while none runs
  pid_t successor;  // 0, or the child that will take over
  unsigned generation;
  SlotState state;
  unsigned restarts;        // forks after a death (reloads are not counted)
  Clock::time_point since;  // when the child was forked
  Clock::duration backoff;  // until the next fork; zero unless kBackoff
  std::string lastExit;     // "", "exit 3", "killed by SIGKILL", ...
  // Why no child could be forked; empty: one could, or none was wanted yet.
  std::string forkFailure;
  unsigned seat;  // of `pid`
};

// Told what happens; every function runs in the master's loop, and may call
// the supervisor.
class SupervisorHandler {
 public:
  virtual void onReady(const SlotView& slot) = 0;
  // A child says that it cannot start; or none could be forked, and the slot
  // is kBackoff.
  virtual void onFailed(const SlotView& slot, std::string_view reason) = 0;
  virtual void onExit(const SlotView& slot, pid_t pid, ExitStatus status,
                      bool expected) = 0;
  // Frames from kFirstOfProgram on; `from` leads to the child that sent it,
  // whose process is `pid`.
  virtual void onFrame(const SlotView& slot, pid_t pid, Channel& from,
                       const Frame& frame) = 0;
  // Mail of that process: see Router.
  virtual void onMail(pid_t /*pid*/, const Frame&) {}
  // A child has been forked; `channel` leads to it until onExit().
  virtual void onForked(const ChildPlace&, pid_t, Channel& /*channel*/) {}
  // The same of a child that came over execve(2).
  virtual void onCarried(pid_t, Channel& /*channel*/) {}
  // It is told to drain or to stop.
  virtual void onEnding(pid_t) {}
  // The cut of a hand-over; onReady() of the heir and onEnding() of the other
  // follow at once.
  virtual void onSucceeded(pid_t /*before*/, pid_t /*heir*/) {}
  // Its channel has taken frames that waited.
  virtual void onProgress(pid_t) {}
  // Around each round of replacements that reload() asked for.
  virtual void onReloadStarted() = 0;
  virtual void onReloadEnded(bool ok, std::string_view reason) = 0;
  virtual void onReloadSkipped(const SlotView& slot) = 0;
  // In the child, first of all: close what belongs to the master alone.
  virtual void inChild() = 0;
  // Whether a child of this process is somebody else's to reap.
  virtual bool ownsChild(pid_t) const { return false; }

 protected:
  ~SupervisorHandler() = default;
};

class Supervisor final : private detail::ChildHandler {
 public:
  struct Options {
    // From drain or stop to SIGKILL.
    Clock::duration stopTimeout = std::chrono::seconds(8);
    // From fork to ready; then the child is killed.
    Clock::duration readyTimeout = std::chrono::seconds(30);
    BackoffPolicy backoff = {};
    // Of the program: which of those that this process has been.
    unsigned image = 1;
    // What a child may take to come to rest before it hands over; past it, it
    // is drained with its connections. It hears of that behind the mail that
    // waits for it, and handles that first.
    Clock::duration quietTimeout = std::chrono::seconds(4);
  };
  using Done = std::function<void(bool ok, std::string_view reason)>;

  Supervisor(EventInterface& loop, SupervisorHandler& handler, Options options);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Before start(). Returns the group's number, 0 for the first.
  unsigned addGroup(ProcessGroup group);

  // Forks everything. Throws CannotFork (children forked so far are ended)
  // when a fork fails or this process has more than one thread.
  void start();

  // New generation, slot by slot, never fewer ready children than before and
  // never more than one child above the count. A request during a reload means
  // one more round after it; `done` then waits for that. Refused while
  // stopping. A child that is drained for it is told so in its kDrain frame.
  void reload(Grace grace, Done done);

  // Ends every child; past stopTimeout with SIGKILL. A second call with kFast
  // during a graceful one makes it fast. Every `done` is called once all are
  // gone.
  void stop(Grace grace, Done done);

  // ---- One slot. `done` is told false, with the reason, of what cannot be:
  // no such slot, one that is being replaced, a program that is stopping.

  // Drains its child; no other follows until startSlot(), restartSlot() or the
  // next start of the program. `done` when it is gone.
  void stopSlot(unsigned index, Done done);
  // Fills an empty slot, without a delay. `done` when its child is ready, or
  // cannot start.
  void startSlot(unsigned index, Done done);
  // A successor, and when that is ready the drain of its child. An empty slot
  // is started. `done` when the new child is ready, or cannot start.
  void restartSlot(unsigned index, Done done);
  // Kills its child, which has not turned for `time`; another follows.
  void killHung(unsigned index, Clock::duration time);

  // From onReloadStarted(): gives the group so many slots. New ones get the
  // lowest index that is free over the whole program, and are filled in this
  // round; the last ones are drained and stay, kRemoved at the end, until
  // forget().
  void resize(unsigned group, unsigned count);
  // Drops the slots of the group that are kRemoved: their indexes are free.
  void forget(unsigned group);

  // To the ready (or starting) child of the slot.
  Channel::Result send(unsigned index, const Frame& frame);
  // To every child, draining ones included. Returns how many it went to.
  std::size_t broadcast(const Frame& frame);
  // To those that have become ready. Returns the processes it went to.
  std::set<pid_t> broadcastToReady(const Frame& frame);

  std::vector<SlotView> slots() const;  // by index, which may have gaps
  unsigned childCount() const;          // processes alive
  bool stopping() const { return stopping_; }
  bool reloading() const { return round_ && round_->reload; }

  // ---- Over execve(2), by which children stay children.

  // Nobody waits for what happens to a child, and no round is under way.
  bool isQuiet() const;
  // Reading: before start(), which is not called then, with all groups added;
  // `groups[i]` is the group of what was written as of the i-th.
  // SupervisorHandler::onCarried() is told of each child.
  void carry(Archive& archive, const std::vector<unsigned>& groups);
  // Replaces children that were forked by an image of the program with that
  // number. Those that cannot be are tried again.
  void replaceThoseOf(unsigned image);

  // As PID 1 a master inherits orphans: call on SIGCHLD to reap strangers.
  void reapStrangers();

 private:
  using Child = detail::Child;
  using Slot = detail::Slot;

  // Slots whose children are replaced one after the other.
  struct Round {
    bool reload = true;  // false: children that asked for it (kRetire)
    Grace grace = Grace::kFast;
    std::vector<Done> done = {};
    Slot* replacing = nullptr;
    bool forked = false;  // its successor
    std::deque<Slot*> waiting = {};
  };

  void onChildFrame(Child& child, const Frame& frame) override;
  void onChildExit(Child& child, ExitStatus status) override;
  void onChildEnding(Child& child) override { handler_.onEnding(child.pid()); }
  void onChildProgress(Child& child) override {
    handler_.onProgress(child.pid());
  }

  template <typename Visit>
  void forEachChild(Visit visit) const;
  Slot& slotOf(const Child& child);
  std::unique_ptr<Child>& ownerOf(Slot& slot, const Child& child);
  void bury(std::unique_ptr<Child> child);

  // Forking.
  std::unique_ptr<Child> fork(Slot& slot);
  std::unique_ptr<Child> watch(pid_t pid, FileDescriptor channel,
                               const ChildPlace& place, Slot& slot);
  int runChild(const ChildPlace& place, FileDescriptor channel);
  void forkCurrent(Slot& slot);
  void forkAgain(Slot& slot);
  void cancelRestart(Slot& slot);
  void scheduleRestart(Slot& slot, Clock::duration served);
  void restartAfter(Slot& slot, Clock::duration wait);
  void onNoFork(Slot& slot, const std::string& reason);

  // What a child did.
  void onReady(Slot& slot, Child& child);
  void takePlace(Slot& slot);
  void onRetire(Slot& slot, Child& child);
  void onLeaving(Slot& slot, Child& child, std::string_view reason);
  void followLeaving(Slot& slot);
  void onRetiringGone(Slot& slot);
  void onCurrentGone(Slot& slot, const ExitStatus& status,
                     Clock::duration served);
  void followCurrent(Slot& slot, Clock::duration served);
  void onSuccessorGone(Slot& slot, const std::string& reason);

  // Connections that pass on: SupervisorHandover.cc.
  void beginHandover(Slot& slot);
  void onQuiet(Slot& slot, const Child& child);
  void cut(Slot& slot);
  void goWithoutHandover(Slot& slot);
  void cancelHandover(Slot& slot);
  void endHandover(Slot& slot);
  static void tellAdopted(Slot& slot);

  // Replacements.
  void beginRound(Round round);
  void collectForReload();
  void replaceNext();
  void forkSuccessor(Slot& slot);
  void endRound(bool ok, const std::string& reason);
  void replaceRetired();

  // One slot.
  Slot* slotAt(unsigned index) const;
  Slot* toOrder(unsigned index, const Done& done) const;
  bool isBeingReplaced(const Slot& slot) const;
  void addSlot(unsigned group, unsigned number);
  void removeSlot(Slot& slot);
  static void tell(std::vector<Done>& waiting, bool ok,
                   std::string_view reason);
  void checkGone(Slot& slot);

  void checkStopped();
  void endChild(Child& child);
  void carryChild(Archive& archive, std::unique_ptr<Child>& child);

  EventInterface& loop_;
  SupervisorHandler& handler_;
  Options options_;
  std::vector<ProcessGroup> groups_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::unique_ptr<Child>> buried_;

  std::optional<Round> round_;  // under way
  std::optional<Round> next_;   // asked for meanwhile
  TimerId retirements_{};       // when one has failed: the next attempt

  bool stopping_ = false;
  Grace stopGrace_ = Grace::kGraceful;
  std::vector<Done> stopDone_;
};

}  // namespace brigade
