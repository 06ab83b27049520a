// What is asked of single slots: to stay empty, to be filled, now or later, to
// be followed while they drain, to be more or fewer.

#include <algorithm>
#include <utility>

#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Slot.h"

namespace brigade {

using detail::Slot;

Slot* Supervisor::slotAt(unsigned index) const {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(),
                   [&](const auto& slot) { return slot->index == index; });
  return found == slots_.end() ? nullptr : found->get();
}

bool Supervisor::isBeingReplaced(const Slot& slot) const {
  return slot.successor || (round_ && round_->replacing == &slot);
}

// Null when nothing can be asked of the slot; `done` is told why.
Slot* Supervisor::toOrder(unsigned index, const Done& done) const {
  Slot* const slot = slotAt(index);
  std::string reason;
  if (stopping_) {
    reason = "the program is stopping";
  } else if (slot == nullptr || slot->removed) {
    reason = "there is no worker " + std::to_string(index);
  } else if (isBeingReplaced(*slot)) {
    reason = "worker " + std::to_string(index) + " is being replaced";
  }
  if (reason.empty()) return slot;
  if (done) done(false, reason);
  return nullptr;
}

void Supervisor::tell(std::vector<Done>& waiting, bool ok,
                      std::string_view reason) {
  for (const Done& done : std::exchange(waiting, {})) {
    if (done) done(ok, reason);
  }
}

void Supervisor::stopSlot(unsigned index, Done done) {
  Slot* const slot = toOrder(index, done);
  if (slot == nullptr) return;
  if (slot->held && slot->empty()) {
    if (done) done(false, "worker " + std::to_string(index) + " is stopped");
    return;
  }
  slot->held = true;
  slot->wantsToRetire = false;
  slot->wantsRestart = false;
  slot->gaveUp = false;
  cancelRestart(*slot);
  tell(slot->whenReady, false, "it was stopped meanwhile");
  slot->whenGone.push_back(std::move(done));
  if (slot->current) {
    slot->current->end(FrameKind::kDrain, "", options_.stopTimeout);
  }
  checkGone(*slot);
}

void Supervisor::startSlot(unsigned index, Done done) {
  Slot* const slot = toOrder(index, done);
  if (slot == nullptr) return;
  if (slot->current && !slot->current->isEnding()) {
    if (done) done(false, "worker " + std::to_string(index) + " runs already");
    return;
  }
  slot->held = false;
  slot->gaveUp = false;
  slot->backoff.reset();
  tell(slot->whenGone, false, "it was started again meanwhile");
  slot->whenReady.push_back(std::move(done));
  // One that still drains is followed when it has ended.
  if (slot->current) return;
  cancelRestart(*slot);
  forkCurrent(*slot);
}

void Supervisor::restartSlot(unsigned index, Done done) {
  Slot* const slot = toOrder(index, done);
  if (slot == nullptr) return;
  if (!slot->current || slot->current->isEnding()) {
    startSlot(index, std::move(done));
    return;
  }
  slot->wantsRestart = true;
  slot->whenReady.push_back(std::move(done));
  if (!round_) replaceRetired();
}

void Supervisor::killHung(unsigned index, Clock::duration time) {
  Slot* const slot = slotAt(index);
  if (slot != nullptr && slot->current) slot->current->killHung(time);
}

// What waits for the slot to be empty.
void Supervisor::checkGone(Slot& slot) {
  if (slot.held && slot.empty()) tell(slot.whenGone, true, "");
}

// ---- The next child

void Supervisor::forkAgain(Slot& slot) {
  slot.waiting = false;
  forkCurrent(slot);
  if (slot.current) ++slot.restarts;
}

void Supervisor::forkCurrent(Slot& slot) {
  try {
    slot.current = fork(slot);
  } catch (const std::exception& e) {
    onNoFork(slot, e.what());
  }
}

// What the machine lacks now it may have again: however often this happens, the
// slot does not give up.
void Supervisor::onNoFork(Slot& slot, const std::string& reason) {
  slot.forkFailure = reason;
  restartAfter(slot, slot.backoff.onNoFork());
  handler_.onFailed(slot.view(), reason);
  tell(slot.whenReady, false, reason);
}

void Supervisor::cancelRestart(Slot& slot) {
  if (std::exchange(slot.waiting, false)) loop_.del(slot.restart);
}

void Supervisor::scheduleRestart(Slot& slot, Clock::duration served) {
  const Clock::duration wait = slot.backoff.onDeath(served);
  slot.gaveUp = slot.backoff.givesUp();
  if (!slot.gaveUp) restartAfter(slot, wait);
}

void Supervisor::restartAfter(Slot& slot, Clock::duration wait) {
  slot.waiting = true;
  slot.restartAt = Clock::now() + wait;
  slot.restart =
      loop_.add(wait, Repeat::kOnce, [this, &slot] { forkAgain(slot); });
}

// ---- A child that drains by itself

// The one that had to end before the slot goes on.
void Supervisor::onRetiringGone(Slot& slot) {
  if (slot.current && slot.current->isLeaving()) followLeaving(slot);
  if (!round_ || round_->replacing != &slot) return;
  if (!round_->forked) {
    forkSuccessor(slot);
  } else if (!slot.successor) {
    replaceNext();
  }
}

void Supervisor::onLeaving(Slot& slot, Child& child, std::string_view reason) {
  if (&child != slot.current.get() || child.isEnding()) return;
  child.leaves(reason, options_.stopTimeout);
  // Of those that drain there is one a slot; a second one has to wait for its
  // successor until the first is gone.
  if (!slot.retiring) followLeaving(slot);
}

void Supervisor::followLeaving(Slot& slot) {
  const Clock::duration served = slot.current->served();
  slot.retiring = std::move(slot.current);
  followCurrent(slot, served);
  if (slot.heirsEnd) goWithoutHandover(slot);
}

// ---- More slots, or fewer

void Supervisor::addSlot(unsigned group, unsigned number) {
  auto slot = std::make_unique<Slot>(options_.backoff);
  slot->slot = number;
  slot->group = group;
  slot->index = 1;
  auto place = slots_.begin();
  for (; place != slots_.end() && (*place)->index == slot->index; ++place) {
    ++slot->index;
  }
  slots_.insert(place, std::move(slot));
}

void Supervisor::resize(unsigned group, unsigned count) {
  groups_[group].count = count;
  std::vector<Slot*> present(count);
  for (const auto& slot : slots_) {
    if (slot->group != group) continue;
    if (slot->slot < count) {
      // Perhaps one that was to go, and has not gone yet.
      slot->removed = false;
      present[slot->slot] = slot.get();
    } else if (!slot->removed) {
      removeSlot(*slot);
    }
  }
  for (unsigned i = 0; i < count; ++i) {
    if (present[i] == nullptr) addSlot(group, i);
  }
}

void Supervisor::removeSlot(Slot& slot) {
  slot.removed = true;
  slot.wantsToRetire = false;
  slot.wantsRestart = false;
  cancelRestart(slot);
  cancelHandover(slot);
  tell(slot.whenReady, false, "it was removed meanwhile");
  for (detail::Child* child : {slot.current.get(), slot.successor.get()}) {
    if (child != nullptr) {
      child->end(FrameKind::kDrain, kForReload, options_.stopTimeout);
    }
  }
}

void Supervisor::forget(unsigned group) {
  std::erase_if(slots_, [&](const auto& slot) {
    return slot->group == group && slot->removed && slot->empty();
  });
}

}  // namespace brigade
