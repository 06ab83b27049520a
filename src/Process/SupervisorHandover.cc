// What passes between a child and its successor: each gets an end of one
// channel, the first when it is to come to rest, the other at the cut. Whatever
// goes wrong before that is a reload without a hand-over.

#include <exception>
#include <string>
#include <utility>

#include "brigade/Process/Supervisor.h"
#include "brigade/Process/detail/Slot.h"

namespace brigade {

using detail::Child;
using detail::Slot;

// The successor is ready.
void Supervisor::beginHandover(Slot& slot) {
  if (!slot.current || slot.current->isEnding()) {
    goWithoutHandover(slot);
    return;
  }
  try {
    auto [first, second] = Channel::makePair();
    slot.current->channel().send(
        {.kind = FrameKind::kHandOver, .descriptor = first.get()});
    slot.heirsEnd = std::move(second);
  } catch (const std::exception&) {
    // No descriptor is left.
    goWithoutHandover(slot);
    return;
  }
  slot.quietBy = loop_.add(options_.quietTimeout, Repeat::kOnce,
                           [this, &slot] { goWithoutHandover(slot); });
}

void Supervisor::onQuiet(Slot& slot, const Child& child) {
  if (&child == slot.current.get() && slot.heirsEnd) cut(slot);
}

// In this order: the successor keeps back its mail when it has heard kTakeOver,
// and the other one's last mail lies before the news of the cut.
void Supervisor::cut(Slot& slot) {
  const FileDescriptor end = std::move(slot.heirsEnd);
  cancelHandover(slot);
  slot.hasHeir = false;
  slot.successor->channel().send(
      {.kind = FrameKind::kTakeOver, .descriptor = end.get()});
  handler_.onSucceeded(slot.current->pid(), slot.successor->pid());
  takePlace(slot);
}

void Supervisor::goWithoutHandover(Slot& slot) {
  cancelHandover(slot);
  if (!slot.successor || slot.successor->isEnding()) return;
  slot.hasHeir = false;
  slot.successor->channel().send({FrameKind::kTakeOver});
  takePlace(slot);
}

// The successor serves from now on.
void Supervisor::takePlace(Slot& slot) {
  slot.lastServed = slot.successor->pid();
  // What began to drain by itself meanwhile has left its place already.
  if (slot.current) slot.retiring = std::move(slot.current);
  slot.current = std::move(slot.successor);
  slot.wantsToRetire = false;
  slot.wantsRestart = false;
  handler_.onReady(slot.view());
  tell(slot.whenReady, true, "");
  if (slot.retiring) {
    std::string how;
    if (round_ && round_->reload) how += kForReload;
    if (round_ && round_->grace == Grace::kGraceful) how += kGracefully;
    slot.retiring->end(FrameKind::kDrain, how, options_.stopTimeout);
  } else {
    replaceNext();
  }
}

// Without the other end the first child goes on by itself.
void Supervisor::cancelHandover(Slot& slot) {
  loop_.del(std::exchange(slot.quietBy, {}));
  slot.heirsEnd.reset();
}

// So late that what the successor has sent as it adopted is handled before the
// end of the other one is told.
void Supervisor::tellAdopted(Slot& slot) {
  if (slot.retiring) slot.retiring->channel().send({FrameKind::kAdopted});
}

// The child that serves has ended: nobody is to wait for it.
void Supervisor::endHandover(Slot& slot) {
  if (slot.heirsEnd) goWithoutHandover(slot);
  tellAdopted(slot);
}

}  // namespace brigade
