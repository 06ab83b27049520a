#pragma once

// Slot: the place of one worker process, which keeps its index over all the
// children that fill it. `current` serves or starts; during a reload
// `successor` starts beside it, and the one it replaced is `retiring` until it
// has drained.

#include <sys/types.h>

#include <memory>
#include <string>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Backoff.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Child.h"

namespace brigade::detail {

struct Slot {
  SlotView view() const;
  // The child that frames go to; null when there is none.
  Child* addressee() const { return current ? current.get() : successor.get(); }

  unsigned index = 0;
  unsigned slot = 0;
  unsigned group = 0;
  unsigned generation = 0;
  unsigned restarts = 0;
  std::string lastExit;
  Backoff backoff;
  TimerId restart{};  // running while the slot waits for its next child
  bool waiting = false;
  bool finished = false;  // there will be no next child
  bool wantsToRetire = false;
  Clock::time_point restartAt{};
  std::unique_ptr<Child> current;
  std::unique_ptr<Child> successor;
  std::unique_ptr<Child> retiring;
};

}  // namespace brigade::detail
