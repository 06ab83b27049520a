// The program's timers of a worker process, and the end of what waits.

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade::detail {

TimerId WorkerProcess::addTimer(Clock::duration delay, Repeat repeat,
                                std::function<void()> callback) {
  if (repeat == Repeat::kEvery) {
    const TimerId timer = loop_->add(
        delay, repeat, [this, run = std::move(callback)] { runTimer(run); });
    timers_.insert(static_cast<std::uint64_t>(timer));
    score_.timers.set(timers_.size());
    return timer;
  }
  auto self = std::make_shared<TimerId>();
  *self = loop_->add(delay, repeat, [this, self, run = std::move(callback)] {
    timers_.erase(static_cast<std::uint64_t>(*self));
    score_.timers.set(timers_.size());
    runTimer(run);
  });
  timers_.insert(static_cast<std::uint64_t>(*self));
  score_.timers.set(timers_.size());
  return *self;
}

// Where a coroutine goes on behind sleepFor(), too.
void WorkerProcess::runTimer(const std::function<void()>& callback) {
  try {
    callback();
  } catch (...) {
    onException("a timer", std::current_exception());
  }
  recycle();
}

void WorkerProcess::delTimer(TimerId timer) {
  loop_->del(timer);
  timers_.erase(static_cast<std::uint64_t>(timer));
  score_.timers.set(timers_.size());
}

// Whatever waits is destroyed while all that its destructors may use is there.
void WorkerProcess::endCoroutines() {
  mail_->forget();
  for (const std::uint64_t timer : std::exchange(timers_, {})) {
    loop_->del(TimerId{timer});
  }
}

}  // namespace brigade::detail
