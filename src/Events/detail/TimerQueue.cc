#include "brigade/Events/detail/TimerQueue.h"

#include <algorithm>
#include <utility>

namespace brigade::detail {
namespace {

constexpr auto kNever = Clock::time_point::max();
// A repeating timer without a delay would otherwise look like a one-shot.
constexpr Clock::duration kShortestPeriod{1};

Clock::time_point later(Clock::time_point from, Clock::duration delay) {
  if (delay <= Clock::duration::zero()) return from;
  return delay > kNever - from ? kNever : from + delay;
}

}  // namespace

// Holds a repeating timer's callback while it runs: the table may grow, or
// the timer delete itself, from inside.
class TimerQueue::Borrowed {
 public:
  Borrowed(TimerQueue& queue, std::uint32_t slot)
      : queue_(queue),
        timer_(queue.idOf(slot)),
        callback_(std::move(queue.timers_[slot].callback)) {}
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (Timer* timer = queue_.find(timer_)) {
      timer->callback = std::move(callback_);
    }
  }

  void run() { callback_(); }

 private:
  TimerQueue& queue_;
  TimerId timer_;
  Callback callback_;
};

TimerId TimerQueue::add(Clock::time_point now, Clock::duration delay,
                        Repeat repeat, Callback callback) {
  const std::uint32_t slot = takeSlot();
  Timer& timer = timers_[slot];
  timer.callback = std::move(callback);
  timer.period = repeat == Repeat::kEvery ? std::max(delay, kShortestPeriod)
                                          : Clock::duration::zero();
  heap_.emplace_back();
  siftUp(static_cast<std::uint32_t>(heap_.size() - 1),
         {later(now, delay), nextSequence_++, slot});
  return idOf(slot);
}

void TimerQueue::del(TimerId id) {
  const Timer* timer = find(id);
  if (timer == nullptr) return;
  // Dies at the end of this function: its destructor may come back here.
  const Callback doomed = release(heap_[timer->position].slot);
}

void TimerQueue::clear() {
  while (!heap_.empty()) del(idOf(heap_.back().slot));
}

bool TimerQueue::runNext(const Round& round) {
  if (heap_.empty()) return false;
  const Node top = heap_.front();
  if (top.due > round.now || top.sequence >= round.firstNewSequence) {
    return false;
  }
  if (timers_[top.slot].period == Clock::duration::zero()) {
    release(top.slot)();
  } else {
    postpone(top.slot, round.now);
    Borrowed(*this, top.slot).run();
  }
  return true;
}

Clock::time_point TimerQueue::earliest() const {
  return heap_.empty() ? kNever : heap_.front().due;
}

bool TimerQueue::before(const Node& a, const Node& b) {
  return a.due != b.due ? a.due < b.due : a.sequence < b.sequence;
}

// An id is the slot and the slot's generation, which is never 0: the value 0
// names no timer.
TimerId TimerQueue::idOf(std::uint32_t slot) const {
  return TimerId{std::uint64_t{timers_[slot].generation} << 32 | slot};
}

TimerQueue::Timer* TimerQueue::find(TimerId id) {
  const auto slot = static_cast<std::uint32_t>(id);
  if (slot >= timers_.size() || timers_[slot].position == kFree) return nullptr;
  return idOf(slot) == id ? &timers_[slot] : nullptr;
}

std::uint32_t TimerQueue::takeSlot() {
  if (freeSlots_.empty()) {
    timers_.emplace_back();
    return static_cast<std::uint32_t>(timers_.size() - 1);
  }
  const std::uint32_t slot = freeSlots_.back();
  freeSlots_.pop_back();
  return slot;
}

TimerQueue::Callback TimerQueue::release(std::uint32_t slot) {
  Timer& timer = timers_[slot];
  const std::uint32_t position = std::exchange(timer.position, kFree);
  timer.generation = std::max(1U, timer.generation + 1);
  freeSlots_.push_back(slot);

  const Node last = heap_.back();
  heap_.pop_back();
  if (position < heap_.size()) {
    siftUp(position, last);
    siftDown(timers_[last.slot].position, last);
  }
  return std::exchange(timer.callback, nullptr);
}

// Keeps the cadence and leaves out the ticks that were missed.
void TimerQueue::postpone(std::uint32_t slot, Clock::time_point now) {
  const Timer& timer = timers_[slot];
  Node node = heap_[timer.position];
  const auto missed = (now - node.due) / timer.period;
  node.due = later(node.due + missed * timer.period, timer.period);
  node.sequence = nextSequence_++;
  siftDown(timer.position, node);
}

void TimerQueue::place(std::uint32_t position, const Node& node) {
  heap_[position] = node;
  timers_[node.slot].position = position;
}

void TimerQueue::siftUp(std::uint32_t position, const Node& node) {
  while (position > 0) {
    const std::uint32_t parent = (position - 1) / 2;
    if (!before(node, heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, node);
}

void TimerQueue::siftDown(std::uint32_t position, const Node& node) {
  const auto size = static_cast<std::uint32_t>(heap_.size());
  for (;;) {
    std::uint32_t child = 2 * position + 1;
    if (child >= size) break;
    if (child + 1 < size && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], node)) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, node);
}

}  // namespace brigade::detail
