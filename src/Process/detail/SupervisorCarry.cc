// What is carried over execve(2): the slots, and the children in them, which
// stay children of this process.

#include <algorithm>
#include <utility>

#include "brigade/Events/Archive.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Slot.h"

namespace brigade {

using detail::Child;
using detail::Slot;

void detail::Slot::carry(Archive& archive) {
  archive(index, slot, group, generation, restarts, lastExit, backoff, waiting,
          finished, wantsToRetire, wantsRestart, held, gaveUp, removed,
          lastServed, restartAt);
}

bool Supervisor::isQuiet() const {
  return !round_ && !next_ &&
         std::all_of(slots_.begin(), slots_.end(), [](const auto& slot) {
           return slot->whenReady.empty() && slot->whenGone.empty();
         });
}

void Supervisor::carry(Archive& archive, const std::vector<unsigned>& groups) {
  auto size = static_cast<std::uint32_t>(slots_.size());
  archive(size);
  if (archive.isReading()) slots_.clear();
  for (std::uint32_t i = 0; i < size; ++i) {
    if (archive.isReading()) {
      slots_.push_back(std::make_unique<Slot>(options_.backoff));
    }
    Slot& slot = *slots_[i];
    archive(slot);
    if (archive.isReading()) slot.group = groups.at(slot.group);
    for (auto* child : {&slot.current, &slot.successor, &slot.retiring}) {
      carryChild(archive, *child);
    }
    if (archive.isReading() && slot.waiting) {
      const Clock::duration left = slot.restartAt - Clock::now();
      slot.restart =
          loop_.add(std::max(left, Clock::duration::zero()), Repeat::kOnce,
                    [this, &slot] { forkAgain(slot); });
    }
  }
}

void Supervisor::carryChild(Archive& archive, std::unique_ptr<Child>& child) {
  bool isThere = child != nullptr;
  archive(isThere);
  if (!isThere) return;
  pid_t pid = 0;
  unsigned generation = 0;
  unsigned seat = 0;
  if (archive.isReading()) {
    archive(pid, generation, seat);
    detail::ChildHandler& self = *this;
    child = std::make_unique<Child>(loop_, self, pid, archive.readDescriptor(),
                                    generation, seat);
    handler_.onCarried(pid, child->channel());
  } else {
    pid = child->pid();
    generation = child->generation();
    seat = child->seat();
    archive(pid, generation, seat);
    archive.write(child->channel().fd());
  }
  archive(*child);
}

void Supervisor::replaceThoseOf(unsigned image) {
  for (const auto& slot : slots_) {
    if (slot->current && slot->current->image() == image) {
      slot->wantsToRetire = true;
    }
  }
  replaceRetired();
}

}  // namespace brigade
