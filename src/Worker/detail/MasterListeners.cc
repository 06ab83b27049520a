// Which process accepts from which socket, when slots and sockets are not one
// for one: a slot in back-off, one that is stopped, one that is new or going.

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Master.h"

namespace brigade::detail {
namespace {

// For the last packet of a handshake that had begun when a socket was taken
// out of its group: three round trips of a slow line.
constexpr std::chrono::milliseconds kHandshakes{1000};

bool isReady(const SlotView& slot) {
  return slot.pid != 0 && slot.state == SlotState::kReady;
}

// Whether nobody accepts for the slot, and nobody is about to.
bool isDeserted(const SlotView& slot) {
  switch (slot.state) {
    case SlotState::kBackoff:
      return slot.backoff > Clock::duration::zero();
    case SlotState::kDraining:
    case SlotState::kStopped:
    case SlotState::kFailed:
    case SlotState::kExited:
    case SlotState::kRemoved:
      return true;
    case SlotState::kStarting:
    case SlotState::kReady:
    case SlotState::kStopping:
      return false;
  }
  return false;
}

}  // namespace

// With a socket for each process, the kernel goes on giving connections to the
// one of a slot that is in back-off: a sibling takes them meanwhile.
void Master::lendListeners() {
  if (supervisor_->stopping()) return;
  const auto slots = supervisor_->slots();
  for (const SlotView& slot : slots) lend(slot, slots);
}

void Master::lend(const SlotView& slot, const std::vector<SlotView>& slots) {
  const auto helper = helpers_.find(slot.index);
  const bool helped = helper != helpers_.end();
  if (isReady(slot)) {
    if (!helped) return;
    supervisor_->send(helper->second.index,
                      {frames::kAcceptNoMore, {}, slot.slot});
    helpers_.erase(helper);
    return;
  }
  // Where all share one socket, the others take its clients anyway.
  const Service& service = services_[slot.group];
  if (!service.hasSocketForEach()) return;
  if (slot.slot >= service.listeners.size()) return;
  if (!helped && !isDeserted(slot)) return;
  const auto helps = [&](const SlotView& each) {
    return helped && isReady(each) && each.index == helper->second.index &&
           each.pid == helper->second.pid;
  };
  if (std::any_of(slots.begin(), slots.end(), helps)) return;
  const auto next = std::find_if(slots.begin(), slots.end(), [&](auto& each) {
    return each.group == slot.group && isReady(each);
  });
  if (next == slots.end()) return;
  helpers_.insert_or_assign(slot.index, Helper{next->index, next->pid});
  supervisor_->send(
      next->index,
      {frames::kAcceptFor, {}, slot.slot, service.listeners[slot.slot].fd()});
}

// Of other code: its sockets have the settings of this one now.
void Master::adjustListeners() {
  for (Service& service : services_) {
    try {
      service.applyListenOptions();
    } catch (const CannotListen& e) {
      log(LogLevel::kWarning,
          service.name + ": its socket keeps the settings it has: " + e.what());
    }
  }
}

// ---- More processes, or fewer

void Master::resizeServices() {
  for (Service& service : services_) {
    const std::string changed = service.changedSettings();
    if (!changed.empty()) {
      log(LogLevel::kWarning, service.name + ": a change of " + changed +
                                  " waits for the next start");
    }
    const unsigned count = service.wantedCount();
    if (count == service.count) continue;
    const std::string before = service.countText();
    try {
      resize(service, count);
      log(LogLevel::kInfo, service.name + ": " + service.countText() +
                               ", not " + before + " any more");
    } catch (const std::exception& e) {
      log(LogLevel::kError,
          service.name + " keeps " + before + ": " + e.what());
    }
  }
  tellWorkers();
  lendListeners();
  closeRemoved();
}

// The messenger's N is the highest index: there may be gaps below it.
void Master::tellWorkers() {
  unsigned highest = 0;
  for (const SlotView& slot : supervisor_->slots()) {
    highest = std::max(highest, slot.index);
  }
  router_->setWorkers(highest);
}

// Before a socket is there whose process is not, and as soon as one is to go,
// new connections are kept away from it; what it has got is taken.
void Master::resize(Service& service, unsigned count) {
  if (service.hasSocketForEach()) {
    service.steerTo(std::min(service.count, count));
  }
  service.makeScores(count);
  service.listenMore(count);
  service.count = count;
  supervisor_->resize(service.group, count);
}

// After a reload: new sockets have their processes.
void Master::steerAll() {
  for (Service& service : services_) {
    if (service.steeredTo == 0) continue;
    try {
      service.steerTo(service.count);
    } catch (const CannotListen& e) {
      log(LogLevel::kError, e.what());
    }
  }
}

// What is left of slots that are gone.
void Master::closeRemoved() {
  if (supervisor_->stopping()) return;
  const auto slots = supervisor_->slots();
  for (Service& service : services_) {
    const auto ofIt = [&](const SlotView& slot) {
      return slot.group == service.group && slot.slot >= service.count;
    };
    const bool any = std::any_of(slots.begin(), slots.end(), ofIt);
    const bool allGone =
        std::all_of(slots.begin(), slots.end(), [&](auto& slot) {
          return !ofIt(slot) || slot.state == SlotState::kRemoved;
        });
    if (!any || !allGone || closing_.contains(service.group)) continue;
    closing_[service.group] =
        loop_->add(kHandshakes, Repeat::kOnce,
                   [this, &service] { closeSocketsOf(service); });
  }
}

// A sibling has accepted from them since their processes left; it takes what
// waits, and closes the last copy.
void Master::closeSocketsOf(Service& service) {
  closing_.erase(service.group);
  if (supervisor_->stopping()) return;
  for (const SlotView& slot : supervisor_->slots()) {
    if (slot.group != service.group || slot.slot < service.count) continue;
    if (slot.state != SlotState::kRemoved) return;  // it was wanted again
    const auto helper = helpers_.find(slot.index);
    if (helper == helpers_.end() && service.hasSocketForEach()) {
      closeRemoved();  // nobody could take what waits: again in a while
      return;
    }
  }
  for (const SlotView& slot : supervisor_->slots()) {
    if (slot.group != service.group || slot.slot < service.count) continue;
    const auto helper = helpers_.find(slot.index);
    if (helper == helpers_.end()) continue;
    supervisor_->send(helper->second.index,
                      {frames::kAcceptNoMore, {}, slot.slot});
    helpers_.erase(helper);
  }
  if (service.hasSocketForEach()) {
    service.listeners.erase(service.listeners.begin() + service.count,
                            service.listeners.end());
  }
  supervisor_->forget(service.group);
}

}  // namespace brigade::detail
