#pragma once

// JumpingLoop: a loop without descriptors whose clock jumps to the next timer,
// so that a test of an hour takes no time. It counts its turns.

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/detail/TimerQueue.h"

namespace brigade::test {

class JumpingLoop final : public EventInterface {
 public:
  void add(int, Interest, Watcher&) override { refuse(); }
  void del(int) override { refuse(); }
  TimerId add(Clock::duration delay, Repeat repeat, Callback callback) final {
    return timers_.add(now_, delay, repeat, std::move(callback));
  }
  void del(TimerId timer) override { timers_.del(timer); }
  void add(Signal, Callback) override { refuse(); }
  void del(Signal) override { refuse(); }
  void defer(Callback callback) override {
    deferred_.push_back(std::move(callback));
  }

  void loop() override {
    while (!stopping_ && timers_.size() != 0) turn(timers_.earliest());
    stopping_ = false;
  }
  void stop() override { stopping_ = true; }

  // Runs what is due within `duration` from now, and stands there.
  void runFor(Clock::duration duration) {
    const Clock::time_point end = now_ + duration;
    while (timers_.earliest() <= end) turn(timers_.earliest());
    now_ = end;
  }

  // As if a callback had blocked: time passes and nothing runs.
  void stall(Clock::duration duration) { now_ += duration; }

  // One turn at `moment`, or now if that has passed.
  void turn(Clock::time_point moment) {
    now_ = std::max(now_, moment);
    ++turns;
    const auto round = timers_.beginRound(now_);
    while (timers_.runNext(round)) {
    }
    for (const Callback& callback : std::exchange(deferred_, {})) callback();
  }

  Clock::time_point now() const override { return now_; }
  std::size_t timerCount() const override { return timers_.size(); }
  std::string_view name() const override { return "jumping"; }
  void setExceptionHandler(ExceptionHandler) override { refuse(); }
  void setPulse(Pulse&) override { refuse(); }
  void abandonInChild() override { refuse(); }

  int turns = 0;

 private:
  [[noreturn]] static void refuse() {
    throw std::logic_error("a JumpingLoop has timers only");
  }

  detail::TimerQueue timers_;
  std::vector<Callback> deferred_;
  Clock::time_point now_{std::chrono::hours(1)};
  bool stopping_ = false;
};

}  // namespace brigade::test
