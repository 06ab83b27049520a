#pragma once

// LoopBase: what both backends share: timers, signals, deferred callbacks,
// the trampoline that no exception crosses, the pulse. A backend adds the
// descriptors and the wait. A turn, in this order:
//
//   set the alarm -> wait -> [alarm: due timers] -> ready descriptors and
//   signals -> what was deferred before this point

#include <cstddef>
#include <cstdint>
#include <exception>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/detail/Alarm.h"
#include "brigade/Events/detail/ReadyList.h"
#include "brigade/Events/detail/SignalQueue.h"
#include "brigade/Events/detail/TimerQueue.h"

namespace brigade::detail {

class LoopBase : public EventInterface {
 public:
  using EventInterface::add;
  using EventInterface::del;

  TimerId add(Clock::duration delay, Repeat repeat, Callback callback) final;
  void del(TimerId timer) final;
  void add(Signal signal, Callback callback) final;
  void del(Signal signal) final;
  void defer(Callback callback) final;

  void loop() final;
  // Before loop(), it makes the next loop() return at once.
  void stop() final { stopping_ = true; }

  Clock::time_point now() const final;
  std::size_t timerCount() const final { return timers_.size(); }
  void setExceptionHandler(ExceptionHandler handler) final;
  void setPulse(Pulse& pulse) override { pulse_ = &pulse; }
  void abandonInChild() final;

 protected:
  enum class Wait : std::uint8_t { kUntilReady, kNot };

  LoopBase() = default;

  // One wait, and ready() for what it finds; calls no watcher. When there is a
  // pulse, fallAsleep() before the system call and wakeUp() after it. del()
  // and a changing add() tell ready() as well.
  virtual void poll(Wait wait) = 0;
  virtual std::size_t watchedCount() const = 0;
  virtual void closeInChild() = 0;

  ReadyList& ready() { return ready_; }

  bool hasPulse() const { return pulse_ != nullptr; }
  void fallAsleep();
  void wakeUp();

  // The trampoline: an exception that leaves `callback` ends here.
  template <typename Function>
  void guarded(Function&& callback) noexcept {
    try {
      callback();
    } catch (...) {
      report(std::current_exception());
    }
  }

  // First thing in a backend's destructor: the destructor of a callback may
  // still use the loop.
  void dropCallbacks();

 private:
  // Lets a descriptor of the loop's own call a function of the loop.
  class Relay final : public Watcher {
   public:
    Relay(LoopBase& loop, void (LoopBase::*target)())
        : loop_(loop), target_(target) {}
    void onReady(Ready) override { (loop_.*target_)(); }

   private:
    LoopBase& loop_;
    void (LoopBase::*target_)();
  };

  bool hasWork() const;
  void turn();
  void setAlarm();
  void runTimers();
  void runSignals();
  void runDeferred();
  void report(std::exception_ptr exception);
  template <typename Next>
  void drain(Next next);

  ReadyList ready_;

  TimerQueue timers_;
  Alarm alarm_;  // Made at once: a timer must not fail for want of descriptors.
  Relay onAlarm_{*this, &LoopBase::runTimers};
  Clock::time_point alarmAt_ = Clock::time_point::max();
  bool alarmWatched_ = false;
  bool alarmRang_ = false;

  SignalQueue signals_;
  Relay onSignal_{*this, &LoopBase::runSignals};

  std::vector<Callback> deferred_;
  std::vector<Callback> running_;

  ExceptionHandler exceptionHandler_;
  Pulse* pulse_ = nullptr;
  // Read from the clock when first asked for in a turn: most turns never ask.
  mutable Clock::time_point turnBegan_{};
  bool looping_ = false;
  bool stopping_ = false;
};

}  // namespace brigade::detail
