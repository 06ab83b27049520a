#pragma once

// TimingWheel: coarse time-outs for very many objects, the idle time-outs of
// connections: O(1) to arm, refresh and clear, no system call and no
// allocation. An entry fires no earlier than its time-out, counted from the
// loop's now(), and at most about two resolutions after it. Belongs to one
// loop, is used in its thread, and may be destroyed with entries still armed,
// but not from inside onTimeout(). The loop's one timer behind it exists only
// while an entry is armed, for the next occupied slot: no idle wake-ups.

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

#include "brigade/Events/EventInterface.h"

namespace brigade {

class TimingWheel {
  struct Links;

 public:
  static constexpr Clock::duration kResolution = std::chrono::milliseconds(250);
  // A longer time-out is a few rounds on the wheel.
  static constexpr std::size_t kSlots = 512;

  class Entry;

  // `loop` outlives the wheel.
  explicit TimingWheel(EventInterface& loop);
  ~TimingWheel();
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  // Arms the entry, or replaces its time-out. An entry is on one wheel only.
  void set(Entry& entry, Clock::duration timeout);
  // An entry that is not armed is ignored.
  void clear(Entry& entry);
  bool armed(const Entry& entry) const;

 private:
  // Ticks count resolutions since the wheel was made: 34 years of them.
  using Tick = std::uint32_t;
  static constexpr Tick kNotArmed = UINT32_MAX;

  struct Links {
    Links* previous = nullptr;
    Links* next = nullptr;
  };
  // The head of a slot's circle of entries.
  struct Slot : Links {
    TimingWheel* wheel = nullptr;
  };

  static bool isEmpty(const Slot& slot) { return slot.next == &slot; }
  static void unlink(Links& entry);
  static void remove(Entry& entry);

  Tick tickAt(Clock::time_point moment) const;
  Tick deadlineAfter(Clock::duration timeout) const;
  void place(Entry& entry);
  void onEmptied(Slot& slot);
  void arm(Tick tick);
  void armNext();
  void disarm();
  void onTimer();
  void expire(Tick now);
  void takeDue(Tick now);

  EventInterface& loop_;
  const Clock::time_point start_;
  std::array<Slot, kSlots> slots_;
  std::bitset<kSlots> occupied_;
  Slot due_;          // Off the wheel, not told yet.
  Tick current_ = 0;  // Every slot up to this one has been emptied.
  Tick armedTick_ = kNotArmed;
  TimerId timer_{};
  bool expiring_ = false;
  bool graceGiven_ = false;
};

// What can time out: derive from it. 24 bytes and the virtual table.
class TimingWheel::Entry : private TimingWheel::Links {
 public:
  // Once for each arming; the entry is no longer armed when it is called. It
  // may set, clear and destroy any entry, its own as well.
  virtual void onTimeout() = 0;

 protected:
  Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  // Clears itself.
  ~Entry();

 private:
  friend class TimingWheel;

  Tick deadline_ = 0;
  Tick slotTick_ = 0;  // The slot it hangs in; not after its deadline.
};

}  // namespace brigade
