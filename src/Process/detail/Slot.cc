#include "brigade/Process/detail/Slot.h"

#include <algorithm>

namespace brigade {

std::string_view toString(SlotState state) {
  switch (state) {
    case SlotState::kStarting:
      return "starting";
    case SlotState::kReady:
      return "ready";
    case SlotState::kDraining:
      return "draining";
    case SlotState::kStopping:
      return "stopping";
    case SlotState::kBackoff:
      return "backoff";
    case SlotState::kExited:
      return "exited";
    case SlotState::kStopped:
      return "stopped";
    case SlotState::kFailed:
      return "failed";
    case SlotState::kRemoved:
      return "removed";
  }
  return "unknown";
}

namespace detail {
namespace {

SlotState stateOf(const Child& child) {
  switch (child.state()) {
    case Child::State::kStarting:
      return SlotState::kStarting;
    case Child::State::kReady:
      return SlotState::kReady;
    case Child::State::kDraining:
      return SlotState::kDraining;
    case Child::State::kStopping:
      return SlotState::kStopping;
  }
  return SlotState::kStopped;
}

}  // namespace

unsigned Slot::freeSeat() const {
  unsigned seat = 0;
  const auto isTaken = [&](const std::unique_ptr<Child>& child) {
    return child && child->seat() == seat;
  };
  while (isTaken(current) || isTaken(successor) || isTaken(retiring)) ++seat;
  return seat;
}

SlotView Slot::view() const {
  SlotView view{};
  view.index = index;
  view.slot = slot;
  view.group = group;
  view.restarts = restarts;
  view.lastExit = lastExit;
  view.successor = successor ? successor->pid() : 0;
  view.generation = generation;
  if (current) {
    view.pid = current->pid();
    view.state = stateOf(*current);
    view.since = current->since();
    view.generation = current->generation();
    view.seat = current->seat();
  } else if (successor) {
    view.state = SlotState::kStarting;
  } else if (waiting) {
    view.state = SlotState::kBackoff;
    view.forkFailure = forkFailure;
    view.backoff = std::max(restartAt - Clock::now(), Clock::duration::zero());
  } else if (removed) {
    view.state = SlotState::kRemoved;
  } else if (finished) {
    view.state = SlotState::kExited;
  } else {
    view.state = gaveUp ? SlotState::kFailed : SlotState::kStopped;
  }
  return view;
}

}  // namespace detail
}  // namespace brigade
