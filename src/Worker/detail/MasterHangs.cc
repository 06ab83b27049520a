// Worker processes that do not turn any more, see Worker::hangTimeout.

#include <algorithm>
#include <chrono>
#include <string>

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Master.h"
#include "brigade/Worker/detail/ProcessFacts.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// A hang is found out within a quarter of its time-out, or a second.
constexpr int kLooks = 4;
constexpr milliseconds kShortest{10};
constexpr milliseconds kLongest{1000};

}  // namespace

// At the start, and again for each reload: without a time-out nobody looks.
void Master::watchForHangs() {
  loop_->del(std::exchange(hangLooks_, {}));
  milliseconds shortest{0};
  for (const Service& service : services_) {
    const milliseconds limit = service.worker->hangTimeout;
    if (limit <= milliseconds(0)) continue;
    if (shortest == milliseconds(0) || limit < shortest) shortest = limit;
  }
  if (shortest == milliseconds(0)) return;
  hangLooks_ = loop_->add(std::clamp(shortest / kLooks, kShortest, kLongest),
                          Repeat::kEvery, [this] { lookForHangs(); });
}

// One that starts, or is told to end, has its time-outs.
void Master::lookForHangs() {
  const Clock::time_point now = Clock::now();
  for (const SlotView& slot : supervisor_->slots()) {
    const milliseconds limit = services_[slot.group].worker->hangTimeout;
    if (limit <= milliseconds(0) || slot.state != SlotState::kReady) continue;
    const Clock::duration stuck =
        hangWatch_.look(slot.index, slot.pid, scoreOf(slot).record.pulse,
                        factsOf(slot.pid).runState(), now);
    if (stuck < limit) continue;
    log(LogLevel::kError, "worker " + std::to_string(slot.index) + ", pid " +
                              std::to_string(slot.pid) + " hangs: killing it");
    supervisor_->killHung(slot.index, limit);
  }
}

}  // namespace brigade::detail
