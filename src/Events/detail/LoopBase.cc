#include "brigade/Events/detail/LoopBase.h"

#include <cassert>
#include <utility>

namespace brigade::detail {

// From the clock, not from now(): a timer never runs early, however long the
// turn has lasted before it was added.
TimerId LoopBase::add(Clock::duration delay, Repeat repeat, Callback callback) {
  if (!alarmWatched_) {
    add(alarm_.fd(), Interest::kRead, onAlarm_);
    alarmWatched_ = true;
  }
  return timers_.add(Clock::now(), delay, repeat, std::move(callback));
}

void LoopBase::del(TimerId timer) { timers_.del(timer); }

void LoopBase::add(Signal signal, Callback callback) {
  const bool first = signals_.empty();
  signals_.add(signal.number, std::move(callback));
  if (first) add(signals_.fd(), Interest::kRead, onSignal_);
}

void LoopBase::del(Signal signal) {
  const bool any = !signals_.empty();
  signals_.del(signal.number);
  if (any && signals_.empty()) del(signals_.fd());
}

void LoopBase::defer(Callback callback) {
  deferred_.push_back(std::move(callback));
}

void LoopBase::loop() {
  assert(!looping_ && "loop() is not called from a callback");
  looping_ = true;
  while (!stopping_ && hasWork()) turn();
  looping_ = false;
  stopping_ = false;
}

Clock::time_point LoopBase::now() const {
  if (!looping_) return Clock::now();
  if (turnBegan_ == Clock::time_point{}) turnBegan_ = Clock::now();
  return turnBegan_;
}

void LoopBase::setExceptionHandler(ExceptionHandler handler) {
  exceptionHandler_ = std::move(handler);
}

void LoopBase::abandonInChild() {
  ready_.clear();
  signals_.closeInChild();
  alarm_.closeInChild();
  closeInChild();
}

void LoopBase::dropCallbacks() {
  timers_.clear();
  signals_.clear();
  while (!deferred_.empty()) std::exchange(deferred_, {}).clear();
}

void LoopBase::fallAsleep() {
  pulse_->sleeping.store(true, std::memory_order_relaxed);
}

// Counted here, not at the start of a turn: whoever sees the loop awake sees
// that it has turned since it slept.
void LoopBase::wakeUp() {
  const auto turns = pulse_->turns.load(std::memory_order_relaxed);
  pulse_->turns.store(turns + 1, std::memory_order_relaxed);
  pulse_->sleeping.store(false, std::memory_order_release);
}

// The alarm alone wakes nobody; the signals' descriptor is watched only while
// there are signals.
bool LoopBase::hasWork() const {
  return !deferred_.empty() || timers_.size() != 0 ||
         watchedCount() > (alarmWatched_ ? 1U : 0U);
}

void LoopBase::turn() {
  setAlarm();
  turnBegan_ = {};
  poll(deferred_.empty() ? Wait::kUntilReady : Wait::kNot);
  ready_.deliver(alarm_.fd(), [this](Watcher& watcher, Ready ready) {
    guarded([&] { watcher.onReady(ready); });
  });
  runDeferred();
}

// Only for an earlier moment, or after it rang: that it may ring for a timer
// deleted meanwhile is cheaper than a system call for each deletion.
void LoopBase::setAlarm() {
  const Clock::time_point earliest = timers_.earliest();
  if (earliest >= alarmAt_ && !alarmRang_) return;
  alarm_.set(earliest);
  alarmAt_ = earliest;
  alarmRang_ = false;
}

void LoopBase::runTimers() {
  alarmRang_ = true;
  const TimerQueue::Round round = timers_.beginRound(now());
  drain([&] { return timers_.runNext(round); });
}

void LoopBase::runSignals() {
  signals_.receive();
  drain([&] { return signals_.runNext(); });
}

void LoopBase::runDeferred() {
  if (deferred_.empty()) return;
  running_.swap(deferred_);
  for (Callback& callback : running_) {
    guarded(callback);
    callback = nullptr;
  }
  running_.clear();
}

void LoopBase::report(std::exception_ptr exception) {
  // Through guarded(), which lets nothing out: std::terminate names it.
  if (!exceptionHandler_) std::rethrow_exception(exception);
  // A copy: the handler may set another one.
  const ExceptionHandler handler = exceptionHandler_;
  handler(std::move(exception));
}

// Calls `next` until it returns false; a callback that throws ends neither
// the turn nor the callbacks behind it.
template <typename Next>
void LoopBase::drain(Next next) {
  bool more = true;
  while (more) guarded([&] { more = next(); });
}

}  // namespace brigade::detail
