#pragma once

// TimerQueue: the timers of one loop, as a binary heap that knows where each
// timer sits, so that one can be deleted by id in O(log n). Pure: time is a
// value that its owner passes in. Owned by LoopBase, used in its thread only.
// Every function may be called from inside a timer's callback.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "brigade/Events/EventInterface.h"

namespace brigade::detail {

class TimerQueue {
 public:
  using Callback = EventInterface::Callback;

  // The timers that are due at one moment: those added later wait for the
  // next round, however short their delay.
  struct Round {
    Clock::time_point now;
    std::uint64_t firstNewSequence;
  };

  // A negative delay is 0; one that leaves the range of the clock is for ever.
  TimerId add(Clock::time_point now, Clock::duration delay, Repeat repeat,
              Callback callback);
  // Unknown ids, and those of timers that have run, are ignored.
  void del(TimerId timer);
  void clear();

  Round beginRound(Clock::time_point now) const { return {now, nextSequence_}; }
  // Runs the earliest timer of the round; false when none is left. What the
  // callback throws passes through and leaves the queue in order: call again.
  bool runNext(const Round& round);

  // time_point::max() when there is none.
  Clock::time_point earliest() const;
  std::size_t size() const { return heap_.size(); }

 private:
  class Borrowed;

  struct Node {
    Clock::time_point due;
    std::uint64_t sequence;  // Equal due times run in the order of adding.
    std::uint32_t slot;
  };
  struct Timer {
    Clock::duration period{};  // 0: runs once.
    Callback callback;
    std::uint32_t generation = 1;
    std::uint32_t position = kFree;
  };
  static constexpr std::uint32_t kFree = UINT32_MAX;

  static bool before(const Node& a, const Node& b);
  TimerId idOf(std::uint32_t slot) const;
  Timer* find(TimerId timer);
  std::uint32_t takeSlot();
  Callback release(std::uint32_t slot);
  void postpone(std::uint32_t slot, Clock::time_point now);
  void place(std::uint32_t position, const Node& node);
  void siftUp(std::uint32_t position, const Node& node);
  void siftDown(std::uint32_t position, const Node& node);

  std::vector<Node> heap_;
  std::vector<Timer> timers_;
  std::vector<std::uint32_t> freeSlots_;
  std::uint64_t nextSequence_ = 0;
};

}  // namespace brigade::detail
