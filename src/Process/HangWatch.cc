#include "brigade/Process/HangWatch.h"

namespace brigade {

Clock::duration HangWatch::look(unsigned index, pid_t pid, const Pulse& pulse,
                                RunState state, Clock::time_point now) {
  // In this order: one that is seen awake has counted its turn already.
  const bool sleeps = pulse.sleeping.load(std::memory_order_acquire);
  const std::uint64_t turns = pulse.turns.load(std::memory_order_relaxed);
  const bool idle = sleeps && state != RunState::kStopped;
  if (idle || state == RunState::kTraced) {
    stuck_.erase(index);
    return Clock::duration::zero();
  }
  const auto [place, first] = stuck_.try_emplace(index, Sight{pid, turns, now});
  Sight& sight = place->second;
  if (sight.pid != pid || sight.turns != turns) sight = {pid, turns, now};
  return now - sight.since;
}

}  // namespace brigade
