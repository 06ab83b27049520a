#include "brigade/Process/Supervisor.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "brigade/Process/detail/Fork.h"
#include "brigade/Process/detail/Slot.h"

namespace brigade {
namespace {

// After a worker that wants to retire could not be replaced.
constexpr std::chrono::seconds kRetireAgain{1};
constexpr const char* kStopping = "the program is stopping";

}  // namespace

using detail::Child;
using detail::Slot;

Supervisor::Supervisor(EventInterface& loop, SupervisorHandler& handler,
                       Options options)
    : loop_(loop), handler_(handler), options_(options) {}

Supervisor::~Supervisor() {
  loop_.del(retirements_);
  for (const auto& slot : slots_) {
    if (slot->waiting) loop_.del(slot->restart);
    cancelHandover(*slot);
  }
}

unsigned Supervisor::addGroup(ProcessGroup group) {
  const auto number = static_cast<unsigned>(groups_.size());
  for (unsigned i = 0; i < group.count; ++i) addSlot(number, i);
  groups_.push_back(std::move(group));
  return number;
}

void Supervisor::start() {
  try {
    for (const auto& slot : slots_) slot->current = fork(*slot);
  } catch (...) {
    for (const auto& slot : slots_) slot->current.reset();
    throw;
  }
}

// ---- Forking

std::unique_ptr<Child> Supervisor::fork(Slot& slot) {
  auto [mine, theirs] = Channel::makePair();
  const ChildPlace place{
      .index = slot.index,
      .slot = slot.slot,
      .group = slot.group,
      .generation = slot.generation + 1,
      .masterPid = ::getpid(),
      .seat = slot.freeSeat(),
      .previousPid = slot.lastServed,
      .count = groups_[slot.group].count,
      .isHeir = groups_[slot.group].handover && slot.current,
  };
  pid_t pid;
  try {
    pid = detail::forkProcess([&, &mine = mine, &theirs = theirs] {
      mine.reset();
      return runChild(place, std::move(theirs));
    });
  } catch (const std::runtime_error& e) {
    throw CannotFork("cannot fork worker " + std::to_string(slot.index) + ": " +
                     e.what());
  }
  std::unique_ptr<Child> child = watch(pid, std::move(mine), place, slot);
  child->killAfter(options_.readyTimeout);
  return child;
}

std::unique_ptr<Child> Supervisor::watch(pid_t pid, FileDescriptor channel,
                                         const ChildPlace& place, Slot& slot) {
  detail::ChildHandler& self = *this;
  try {
    auto child = std::make_unique<Child>(loop_, self, pid, std::move(channel),
                                         place.generation, slot.freeSeat());
    child->setImage(options_.image);
    slot.generation = place.generation;
    slot.forkFailure.clear();
    slot.finished = false;
    slot.hasHeir = place.isHeir;
    handler_.onForked(place, pid, child->channel());
    return child;
  } catch (const std::exception& e) {
    // Without a descriptor for it nobody would notice its end.
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw CannotFork("cannot watch worker " + std::to_string(slot.index) +
                     ": " + e.what());
  }
}

int Supervisor::runChild(const ChildPlace& place, FileDescriptor channel) {
  loop_.abandonInChild();
  handler_.inChild();
  forEachChild([](Child& child) { child.closeInChild(); });
  return groups_[place.group].main(place, std::move(channel));
}

// ---- Children

template <typename Visit>
void Supervisor::forEachChild(Visit visit) const {
  for (const auto& slot : slots_) {
    for (Child* child :
         {slot->current.get(), slot->successor.get(), slot->retiring.get()}) {
      if (child != nullptr) visit(*child);
    }
  }
}

Slot& Supervisor::slotOf(const Child& child) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
        return slot->current.get() == &child ||
               slot->successor.get() == &child ||
               slot->retiring.get() == &child;
      });
  return **found;
}

std::unique_ptr<Child>& Supervisor::ownerOf(Slot& slot, const Child& child) {
  if (slot.current.get() == &child) return slot.current;
  if (slot.successor.get() == &child) return slot.successor;
  return slot.retiring;
}

// A child is called from its own callback: it goes at the end of the turn.
void Supervisor::bury(std::unique_ptr<Child> child) {
  if (buried_.empty()) {
    loop_.defer([this] { buried_.clear(); });
  }
  buried_.push_back(std::move(child));
}

void Supervisor::onChildFrame(Child& child, const Frame& frame) {
  if (frame.kind == FrameKind::kMail) {
    handler_.onMail(child.pid(), frame);
    return;
  }
  Slot& slot = slotOf(child);
  if (frame.kind == FrameKind::kReady) {
    onReady(slot, child);
  } else if (frame.kind == FrameKind::kFailed) {
    child.failed(frame.payload);
    handler_.onFailed(slot.view(), frame.payload);
  } else if (frame.kind == FrameKind::kRetire) {
    onRetire(slot, child);
  } else if (frame.kind == FrameKind::kQuiet) {
    onQuiet(slot, child);
  } else if (frame.kind == FrameKind::kAdopted) {
    if (&child == slot.current.get()) tellAdopted(slot);
  } else if (frame.kind == kLeaving) {
    onLeaving(slot, child, frame.payload);
  } else if (frame.kind >= FrameKind::kFirstOfProgram) {
    handler_.onFrame(slot.view(), child.pid(), child.channel(), frame);
  }
}

void Supervisor::onReady(Slot& slot, Child& child) {
  child.becameReady();
  if (slot.successor.get() == &child) {
    if (slot.hasHeir) {
      beginHandover(slot);
    } else {
      takePlace(slot);
    }
    return;
  }
  slot.lastServed = child.pid();
  handler_.onReady(slot.view());
  if (!slot.wantsRestart) tell(slot.whenReady, true, "");
}

void Supervisor::onChildExit(Child& child, ExitStatus status) {
  Slot& slot = slotOf(child);
  const bool expected = child.isEnding();
  const pid_t pid = child.pid();
  const std::string failure =
      child.failure().empty() ? status.toString() : child.failure();
  status = child.explain(status);
  const bool wasKilledStarting = status.signal == SIGKILL && child.wasTooSlow();
  const Clock::duration served = child.served();
  std::unique_ptr<Child>& owner = ownerOf(slot, child);
  const bool wasCurrent = &owner == &slot.current;
  const bool wasSuccessor = &owner == &slot.successor;
  bury(std::move(owner));
  const bool notStarted = status.cause == ExitCause::kNotStarted;
  if (!expected || status.signal != 0 || !status.detail.empty()) {
    slot.lastExit = status.toString();
  }
  if (wasCurrent) onCurrentGone(slot, status, served);
  if (wasKilledStarting) handler_.onFailed(slot.view(), failure);
  handler_.onExit(slot.view(), pid, status, expected);
  if (wasSuccessor) {
    onSuccessorGone(slot, failure);
  } else if (!wasCurrent) {
    onRetiringGone(slot);
  } else if (notStarted) {
    tell(slot.whenReady, false, failure);
  }
  if (wasCurrent) endHandover(slot);
  checkGone(slot);
  if (::getpid() == 1) reapStrangers();
  checkStopped();
}

void Supervisor::onCurrentGone(Slot& slot, const ExitStatus& status,
                               Clock::duration served) {
  slot.wantsToRetire = false;
  slot.finished = groups_[slot.group].restart == RestartPolicy::kOnce &&
                  status.signal == 0 && status.code == 0;
  if (!slot.finished) followCurrent(slot, served);
}

void Supervisor::followCurrent(Slot& slot, Clock::duration served) {
  slot.wantsToRetire = false;
  // Its successor, when there is one on its way, takes over when it is ready.
  if (stopping_ || slot.successor || slot.held || slot.removed) return;
  scheduleRestart(slot, served);
}

void Supervisor::onSuccessorGone(Slot& slot, const std::string& reason) {
  cancelHandover(slot);
  if (slot.current) {
    // A generation is one that served.
    slot.generation = slot.current->generation();
  } else if (!stopping_ && !slot.held && !slot.removed) {
    scheduleRestart(slot, Clock::duration::zero());
  }
  slot.wantsRestart = false;
  tell(slot.whenReady, false, reason);
  if (round_ && round_->replacing == &slot) {
    endRound(false, "worker " + std::to_string(slot.index) + ": " + reason);
  }
}

// ---- Replacements

void Supervisor::reload(Grace grace, Done done) {
  if (stopping_) {
    if (done) done(false, kStopping);
    return;
  }
  Round round;
  round.grace = grace;
  round.done.push_back(std::move(done));
  if (!round_) {
    beginRound(std::move(round));
  } else if (!next_) {
    next_ = std::move(round);
  } else {
    next_->grace = grace;
    next_->done.push_back(std::move(round.done.front()));
  }
}

void Supervisor::beginRound(Round round) {
  const bool reload = round.reload;
  round_ = std::move(round);
  if (reload) handler_.onReloadStarted();
  // The handler may have stopped us, and so ended the round.
  if (!round_) return;
  if (reload) collectForReload();
  if (round_) replaceNext();
}

// Every slot but those that are to stay empty; of a group that is not
// reloadable those that nobody is in.
void Supervisor::collectForReload() {
  for (const auto& slot : slots_) {
    if (slot->held || slot->removed || slot->finished) continue;
    if (groups_[slot->group].reloadable || !slot->current) {
      slot->backoff.reset();
      slot->gaveUp = false;
      round_->waiting.push_back(slot.get());
    } else {
      handler_.onReloadSkipped(slot->view());
    }
  }
}

void Supervisor::onRetire(Slot& slot, Child& child) {
  if (&child != slot.current.get()) return;
  slot.wantsToRetire = true;
  if (!round_) replaceRetired();
}

// Children that asked for a successor. What a reload replaces meanwhile has
// got one.
void Supervisor::replaceRetired() {
  loop_.del(std::exchange(retirements_, {}));
  if (stopping_ || round_) return;
  Round round;
  round.reload = false;
  for (const auto& slot : slots_) {
    if ((slot->wantsToRetire || slot->wantsRestart) && slot->current) {
      round.waiting.push_back(slot.get());
    }
  }
  if (!round.waiting.empty()) beginRound(std::move(round));
}

void Supervisor::replaceNext() {
  if (!round_) return;
  round_->replacing = nullptr;
  if (round_->waiting.empty()) {
    endRound(true, "");
    return;
  }
  Slot& slot = *round_->waiting.front();
  round_->waiting.pop_front();
  if (slot.held) {
    replaceNext();
    return;
  }
  round_->replacing = &slot;
  round_->forked = false;
  // One that drains by itself has its end first.
  if (!slot.retiring) forkSuccessor(slot);
}

void Supervisor::forkSuccessor(Slot& slot) {
  cancelRestart(slot);
  round_->forked = true;
  try {
    slot.successor = fork(slot);
  } catch (const std::exception& e) {
    slot.wantsRestart = false;
    if (slot.current) {
      tell(slot.whenReady, false, e.what());
    } else {
      onNoFork(slot, e.what());
    }
    // The handler may have stopped us, and so ended the round.
    if (round_) endRound(false, e.what());
  }
}

void Supervisor::endRound(bool ok, const std::string& reason) {
  const Round ended = std::move(*round_);
  round_.reset();
  if (ended.reload) handler_.onReloadEnded(ok, reason);
  for (const Done& done : ended.done) {
    if (done) done(ok, reason);
  }
  if (round_) return;
  if (next_ && stopping_) {
    const Round refused = *std::exchange(next_, std::nullopt);
    for (const Done& done : refused.done) {
      if (done) done(false, reason);
    }
  } else if (next_) {
    beginRound(*std::exchange(next_, std::nullopt));
  } else if (ok) {
    replaceRetired();
  } else if (!stopping_) {
    loop_.del(retirements_);
    retirements_ =
        loop_.add(kRetireAgain, Repeat::kOnce, [this] { replaceRetired(); });
  }
}

// ---- The end

void Supervisor::stop(Grace grace, Done done) {
  const bool first = !std::exchange(stopping_, true);
  if (done) stopDone_.push_back(std::move(done));
  if (first) {
    if (round_) endRound(false, kStopping);
    loop_.del(std::exchange(retirements_, {}));
    for (const auto& slot : slots_) {
      cancelRestart(*slot);
      cancelHandover(*slot);
      tell(slot->whenReady, false, kStopping);
      tell(slot->whenGone, false, kStopping);
    }
  }
  if (first || grace == Grace::kFast) stopGrace_ = grace;
  forEachChild([this](Child& child) { endChild(child); });
  loop_.defer([this] { checkStopped(); });
}

void Supervisor::endChild(Child& child) {
  if (stopGrace_ == Grace::kFast) {
    child.end(FrameKind::kStop, "", options_.stopTimeout);
  } else {
    child.end(FrameKind::kDrain, kGracefully, options_.stopTimeout);
  }
}

void Supervisor::checkStopped() {
  if (!stopping_ || childCount() > 0) return;
  for (const Done& done : std::exchange(stopDone_, {})) done(true, "");
}

// ---- Facts and frames

Channel::Result Supervisor::send(unsigned index, const Frame& frame) {
  const Slot* slot = slotAt(index);
  Child* child = slot == nullptr ? nullptr : slot->addressee();
  if (child == nullptr) return Channel::Result::kGone;
  return child->channel().send(frame);
}

std::size_t Supervisor::broadcast(const Frame& frame) {
  std::size_t count = 0;
  forEachChild([&](Child& child) {
    const Channel::Result result = child.channel().send(frame);
    if (result == Channel::Result::kSent ||
        result == Channel::Result::kQueued) {
      ++count;
    }
  });
  return count;
}

std::set<pid_t> Supervisor::broadcastToReady(const Frame& frame) {
  std::set<pid_t> reached;
  forEachChild([&](Child& child) {
    if (!child.wasReady()) return;
    const Channel::Result result = child.channel().send(frame);
    if (result == Channel::Result::kSent ||
        result == Channel::Result::kQueued) {
      reached.insert(child.pid());
    }
  });
  return reached;
}

std::vector<SlotView> Supervisor::slots() const {
  std::vector<SlotView> views;
  for (const auto& slot : slots_) views.push_back(slot->view());
  return views;
}

unsigned Supervisor::childCount() const {
  unsigned count = 0;
  forEachChild([&](Child&) { ++count; });
  return count;
}

void Supervisor::reapStrangers() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
      return;
    }
    bool ours = handler_.ownsChild(info.si_pid);
    forEachChild([&](Child& child) { ours |= child.pid() == info.si_pid; });
    // One of ours is reaped through its pidfd, and then we look again.
    if (ours) return;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED);
  }
}

}  // namespace brigade
