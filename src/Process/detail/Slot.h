#pragma once

// Slot: the place of one worker process, which keeps its index over all the
// children that fill it. Its picture is in the README of this folder.

#include <sys/types.h>

#include <array>
#include <memory>
#include <string>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Backoff.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Child.h"

namespace brigade::detail {

struct Slot {
  SlotView view() const;

  // The place among the three below that holds the child; null when none does.
  std::unique_ptr<Child>* ownerOf(const Child& child);
  std::array<Child*, 3> children() const {
    return {current.get(), successor.get(), retiring.get()};
  }
  // The child that frames go to; null when there is none.
  Child* addressee() const { return current ? current.get() : successor.get(); }

  unsigned index = 0;
  unsigned slot = 0;
  unsigned group = 0;
  unsigned generation = 0;  // of the latest child
  unsigned restarts = 0;
  pid_t lastPid = 0;
  std::string lastExit;

  Backoff backoff;
  bool waiting = false;  // for its next child; then the timer runs
  TimerId restart{};
  Clock::time_point restartAt{};

  std::unique_ptr<Child> current;    // serves, or is the first to do so
  std::unique_ptr<Child> successor;  // starts, to replace `current`
  std::unique_ptr<Child> retiring;   // drains: `current` has replaced it
};

}  // namespace brigade::detail
