#include "brigade/Process/detail/LeaseTable.h"

#include <utility>

#include "brigade/Events/Archive.h"

namespace brigade::detail {

void LeaseTable::Asker::carry(Archive& archive) { archive(place, correlation); }

void LeaseTable::Lease::carry(Archive& archive) {
  archive(epoch, isDone, isHeld, heldEpoch, holder, waiting);
}

void LeaseTable::carry(Archive& archive) { archive(leases_); }

void LeaseTable::ask(std::string_view key, std::uint64_t epoch,
                     const Asker& asker) {
  const auto found = leases_.find(key);
  Lease& lease =
      found != leases_.end() ? found->second : leases_[std::string(key)];
  if (epoch > lease.epoch) {
    lease.epoch = epoch;
    lease.isDone = false;
  }
  if (lease.isDone) {
    tell_(asker, false);
    return;
  }
  lease.waiting.push_back(asker);
  if (!lease.isHeld) grantNext(lease);
}

void LeaseTable::grantNext(Lease& lease) {
  lease.isHeld = !lease.waiting.empty();
  if (!lease.isHeld) return;
  lease.heldEpoch = lease.epoch;
  lease.holder = lease.waiting.front();
  lease.waiting.pop_front();
  const Asker holder = lease.holder;
  tell_(holder, true);
}

LeaseTable::Lease* LeaseTable::heldBy(std::string_view key,
                                      const Asker& holder) {
  const auto found = leases_.find(key);
  if (found == leases_.end()) return nullptr;
  Lease& lease = found->second;
  const bool holds = lease.isHeld && lease.holder.place == holder.place &&
                     lease.holder.correlation == holder.correlation;
  return holds ? &lease : nullptr;
}

void LeaseTable::done(std::string_view key, const Asker& holder) {
  Lease* const lease = heldBy(key, holder);
  if (lease == nullptr) return;
  if (lease->heldEpoch < lease->epoch) {
    // Whoever waits asks for another run.
    grantNext(*lease);
    return;
  }
  lease->isHeld = false;
  lease->isDone = true;
  for (const Asker& asker : std::exchange(lease->waiting, {})) {
    tell_(asker, false);
  }
}

void LeaseTable::failed(std::string_view key, const Asker& holder) {
  Lease* const lease = heldBy(key, holder);
  if (lease != nullptr) grantNext(*lease);
}

void LeaseTable::gone(const Place& place) {
  for (auto& [key, lease] : leases_) {
    std::erase_if(lease.waiting,
                  [&](const Asker& asker) { return asker.place == place; });
    if (lease.isHeld && lease.holder.place == place) grantNext(lease);
  }
}

}  // namespace brigade::detail
