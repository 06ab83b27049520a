#pragma once

// Slot: the place of one worker process, which keeps its index over all the
// children that fill it. `current` serves or starts; during a reload
// `successor` starts beside it, and the one it replaced is `retiring` until it
// has drained. One that drains by itself is `retiring` as well, and then
// `current` is the process that follows it.

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Backoff.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Child.h"

namespace brigade::detail {

struct Slot {
  explicit Slot(const BackoffPolicy& policy) : backoff(policy) {}

  SlotView view() const;
  bool empty() const { return !current && !successor && !retiring; }
  // But for its children.
  void carry(Archive& archive);
  // A place in what the slot's processes write down that none of them has.
  unsigned freeSeat() const;
  // The child that frames go to; null when there is none.
  Child* addressee() const { return current ? current.get() : successor.get(); }

  unsigned index = 0;
  unsigned slot = 0;
  unsigned group = 0;
  unsigned generation = 0;
  unsigned restarts = 0;
  std::string lastExit;
  std::string forkFailure;  // while it waits for a process to be had
  Backoff backoff;
  TimerId restart{};  // running while the slot waits for its next child
  bool waiting = false;
  bool finished = false;       // kOnce, and done: there is no next child
  bool wantsToRetire = false;  // its child asked for a successor
  bool wantsRestart = false;   // somebody else asked for one
  bool held = false;           // not filled until that is asked for
  bool gaveUp = false;         // too many young deaths
  bool removed = false;        // the program has fewer processes now
  pid_t lastServed = 0;        // the child that was ready last
  std::vector<Supervisor::Done> whenReady;
  std::vector<Supervisor::Done> whenGone;
  Clock::time_point restartAt{};
  // Its successor waits for kTakeOver.
  bool hasHeir = false;
  // While `current` comes to rest: the successor's end of their channel, and
  // how long that may take.
  FileDescriptor heirsEnd;
  TimerId quietBy{};
  std::unique_ptr<Child> current;
  std::unique_ptr<Child> successor;
  std::unique_ptr<Child> retiring;
};

}  // namespace brigade::detail
