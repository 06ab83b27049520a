#include "brigade/Events/TimingWheel.h"

#include <algorithm>

// An entry hangs in the slot of a tick that is not after its deadline. When
// that slot comes up, the entry is told if its deadline has come too, and hung
// in a later slot if it has not: because it was refreshed in the meantime, or
// because its deadline lay more than a round ahead.
//
//   slots_[tick % kSlots]  <->  entry  <->  entry  <->  back to the slot
//
//   current_                                current_ + kSlots
//      | +1   +2   +3  ...                        |
//      `--- the ticks that have a slot -----------'

namespace brigade {

TimingWheel::Entry::~Entry() { TimingWheel::remove(*this); }

TimingWheel::TimingWheel(EventInterface& loop)
    : loop_(loop), start_(loop.now()) {
  for (Slot* slot = slots_.data(); slot != slots_.data() + kSlots; ++slot) {
    slot->previous = slot->next = slot;
    slot->wheel = this;
  }
  due_.previous = due_.next = &due_;
  due_.wheel = this;
}

TimingWheel::~TimingWheel() {
  disarm();
  for (Slot& slot : slots_) {
    while (!isEmpty(slot)) unlink(*slot.next);
  }
  while (!isEmpty(due_)) unlink(*due_.next);
}

void TimingWheel::set(Entry& entry, Clock::duration timeout) {
  entry.deadline_ = deadlineAfter(timeout);
  if (armed(entry)) {
    // The usual refresh: its slot will find out.
    if (entry.slotTick_ <= entry.deadline_) return;
    remove(entry);
  }
  place(entry);
}

void TimingWheel::clear(Entry& entry) { remove(entry); }

bool TimingWheel::armed(const Entry& entry) const {
  return entry.next != nullptr;
}

void TimingWheel::unlink(Links& entry) {
  entry.previous->next = entry.next;
  entry.next->previous = entry.previous;
  entry.previous = entry.next = nullptr;
}

void TimingWheel::remove(Entry& entry) {
  if (entry.next == nullptr) return;
  Links* const neighbour = entry.next;
  unlink(entry);
  // Alone in its circle: only the head can be that.
  if (neighbour->next == neighbour) {
    Slot& slot = static_cast<Slot&>(*neighbour);
    slot.wheel->onEmptied(slot);
  }
}

TimingWheel::Tick TimingWheel::tickAt(Clock::time_point moment) const {
  return static_cast<Tick>((moment - start_) / kResolution);
}

// The first tick that begins after the time-out has passed.
TimingWheel::Tick TimingWheel::deadlineAfter(Clock::duration timeout) const {
  constexpr Clock::duration kLongest = kResolution * (kNotArmed / 2);
  // Of numbers: std::clamp() of durations goes through memory.
  const auto count =
      std::clamp<Clock::rep>(timeout.count(), 0, kLongest.count());
  return tickAt(loop_.now() + Clock::duration(count)) + 1;
}

void TimingWheel::place(Entry& entry) {
  if (armedTick_ == kNotArmed && !expiring_) current_ = tickAt(loop_.now());
  const Tick tick =
      std::min(entry.deadline_, current_ + static_cast<Tick>(kSlots));
  Slot& slot = slots_[tick % kSlots];
  entry.slotTick_ = tick;
  entry.previous = slot.previous;
  entry.next = &slot;
  slot.previous->next = &entry;
  slot.previous = &entry;
  occupied_.set(tick % kSlots);
  if (tick < armedTick_ && !expiring_) arm(tick);
}

void TimingWheel::onEmptied(Slot& slot) {
  if (&slot == &due_) return;
  occupied_.reset(static_cast<std::size_t>(&slot - slots_.data()));
  // Otherwise the timer stays for this slot: it costs one idle wake-up, once.
  if (occupied_.none() && !expiring_) disarm();
}

void TimingWheel::arm(Tick tick) {
  loop_.del(timer_);
  timer_ = loop_.add(start_ + tick * kResolution - loop_.now(), Repeat::kOnce,
                     [this] { onTimer(); });
  armedTick_ = tick;
}

void TimingWheel::armNext() {
  if (!isEmpty(due_)) return arm(current_);
  if (occupied_.none()) return disarm();
  Tick tick = current_ + 1;
  while (!occupied_.test(tick % kSlots)) ++tick;
  arm(tick);
}

void TimingWheel::disarm() {
  loop_.del(timer_);
  timer_ = {};
  armedTick_ = kNotArmed;
}

// After a stall (a callback that blocked, a process that was stopped) what the
// peers have sent meanwhile is still unread: timers run before descriptors.
// One turn of grace lets it refresh its entries.
void TimingWheel::onTimer() {
  const Tick now = tickAt(loop_.now());
  if (now > armedTick_ + 1 && !graceGiven_) {
    graceGiven_ = true;
    return arm(armedTick_);
  }
  graceGiven_ = false;
  expire(now);
}

void TimingWheel::expire(Tick now) {
  // Also when onTimeout() throws: the rest is told in the next turn.
  struct Rearm {
    TimingWheel& wheel;
    ~Rearm() {
      wheel.expiring_ = false;
      wheel.armNext();
    }
  };
  const Rearm rearm{*this};
  expiring_ = true;
  takeDue(now);
  while (!isEmpty(due_)) {
    auto& entry = static_cast<Entry&>(*due_.next);
    unlink(entry);
    if (entry.deadline_ > now) {
      place(entry);
    } else {
      entry.onTimeout();
    }
  }
}

void TimingWheel::takeDue(Tick now) {
  const Tick slots = std::min(now - current_, static_cast<Tick>(kSlots));
  for (Tick tick = current_ + 1; tick != current_ + 1 + slots; ++tick) {
    Slot& slot = slots_[tick % kSlots];
    if (isEmpty(slot)) continue;
    due_.previous->next = slot.next;
    slot.next->previous = due_.previous;
    slot.previous->next = &due_;
    due_.previous = slot.previous;
    slot.previous = slot.next = &slot;
    occupied_.reset(tick % kSlots);
  }
  current_ = now;
}

}  // namespace brigade
