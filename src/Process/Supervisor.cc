#include "brigade/Process/Supervisor.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>

#include "brigade/Process/detail/Slot.h"

namespace brigade {
namespace {

using detail::Child;
using detail::Slot;

// A fork copies one thread; locks that others hold would stay locked for ever.
bool isSingleThreaded() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks)) == 1;
}

// Blocks every signal while a fork has not yet told parent from child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void resetSignals() {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
                           SIGCHLD, SIGALRM, SIGPWR}) {
    ::signal(number, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

class Supervisor::Impl final : public detail::ChildHandler {
 public:
  Impl(EventInterface& loop, SupervisorHandler& handler, Options options)
      : loop_(loop), handler_(handler), options_(options) {}

  unsigned addGroup(ProcessGroup group);
  void start();
  void reload(Grace grace, Done done);
  void stop(Grace grace, Done done);
  Channel::Result send(unsigned index, FrameKind kind, std::string_view payload,
                       std::uint64_t correlation);
  void broadcast(FrameKind kind, std::string_view payload);
  void reapStrangers();
  std::vector<SlotView> slots() const;
  unsigned childCount() const;
  bool stopping() const { return stopping_; }
  bool reloading() const { return reloading_; }

 private:
  void onChildFrame(Child& child, const Frame& frame) override;
  void onChildExit(Child& child, ExitStatus status) override;

  template <typename Visit>
  void forEachChild(Visit visit) const;
  Slot& slotOf(const Child& child);
  std::unique_ptr<Child>& ownerOf(Slot& slot, const Child& child);
  void bury(std::unique_ptr<Child> child);

  // Forking.
  std::unique_ptr<Child> fork(Slot& slot);
  [[noreturn]] void runChild(const Slot& slot, pid_t master,
                             FileDescriptor channel);
  void forkCurrent(Slot& slot);
  void scheduleRestart(Slot& slot, Clock::duration served);

  // What a child did.
  void onReady(Slot& slot, Child& child);
  void onRetire(Slot& slot, Child& child);
  void onCurrentGone(Slot& slot, Clock::duration served);
  void onSuccessorGone(Slot& slot, const std::string& reason);

  // Reloads.
  void replaceNext();
  void forkSuccessor(Slot& slot);
  void endReload(bool ok, const std::string& reason);

  void checkStopped();
  void endChild(Child& child);

  EventInterface& loop_;
  SupervisorHandler& handler_;
  Options options_;
  std::vector<ProcessGroup> groups_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::unique_ptr<Child>> buried_;

  bool reloading_ = false;
  bool again_ = false;  // another round was asked for
  Grace reloadGrace_ = Grace::kFast;
  Slot* replacing_ = nullptr;
  std::deque<Slot*> toReplace_;
  std::vector<Done> reloadDone_;
  std::vector<Done> nextDone_;

  bool stopping_ = false;
  Grace stopGrace_ = Grace::kGraceful;
  Done stopDone_;
};

unsigned Supervisor::Impl::addGroup(ProcessGroup group) {
  const auto number = static_cast<unsigned>(groups_.size());
  for (unsigned i = 0; i < group.count; ++i) {
    auto slot = std::make_unique<Slot>();
    slot->index = static_cast<unsigned>(slots_.size()) + 1;
    slot->slot = i;
    slot->group = number;
    slots_.push_back(std::move(slot));
  }
  groups_.push_back(std::move(group));
  return number;
}

void Supervisor::Impl::start() {
  try {
    for (const auto& slot : slots_) slot->current = fork(*slot);
  } catch (...) {
    for (const auto& slot : slots_) slot->current.reset();
    throw;
  }
  for (const auto& slot : slots_) handler_.onForked(slot->view());
}

// ---- Forking

std::unique_ptr<Child> Supervisor::Impl::fork(Slot& slot) {
  const std::string what = "cannot fork worker " + std::to_string(slot.index);
  if (!isSingleThreaded()) {
    throw CannotFork(what + ": this process has more than one thread");
  }
  auto [mine, theirs] = Channel::makePair();
  // A child would write the parent's buffered output a second time.
  std::fflush(nullptr);
  const pid_t master = ::getpid();
  pid_t pid;
  {
    const SignalsBlocked blocked;
    pid = ::fork();
    if (pid == 0) {
      mine.reset();
      runChild(slot, master, std::move(theirs));
    }
  }
  if (pid < 0) {
    throw CannotFork(what + ": " + std::generic_category().message(errno));
  }
  auto child = std::make_unique<Child>(loop_, *this, pid, std::move(mine),
                                       ++slot.generation);
  child->killAfter(options_.readyTimeout);
  slot.lastPid = pid;
  return child;
}

void Supervisor::Impl::runChild(const Slot& slot, pid_t master,
                                FileDescriptor channel) {
  int status = 1;
  try {
    loop_.abandonInChild();
    handler_.inChild();
    forEachChild([](Child& child) { child.closeInChild(); });
    resetSignals();
    const ChildPlace place{slot.index,          slot.slot, slot.group,
                           slot.generation + 1, master,    slot.lastPid};
    status = groups_[slot.group].main(place, std::move(channel));
  } catch (...) {
    // Whoever wrote `main` has said why on the channel; here is nobody to tell.
    status = 1;
  }
  std::fflush(nullptr);
  ::_exit(status);
}

void Supervisor::Impl::forkCurrent(Slot& slot) {
  slot.waiting = false;
  ++slot.restarts;
  try {
    slot.current = fork(slot);
  } catch (const std::exception& e) {
    handler_.onFailed(slot.view(), e.what());
    scheduleRestart(slot, Clock::duration::zero());
    return;
  }
  handler_.onForked(slot.view());
}

void Supervisor::Impl::scheduleRestart(Slot& slot, Clock::duration served) {
  const Clock::duration wait = slot.backoff.onDeath(served);
  slot.waiting = true;
  slot.restartAt = Clock::now() + wait;
  slot.restart =
      loop_.add(wait, Repeat::kOnce, [this, &slot] { forkCurrent(slot); });
}

// ---- Children

template <typename Visit>
void Supervisor::Impl::forEachChild(Visit visit) const {
  for (const auto& slot : slots_) {
    for (Child* child :
         {slot->current.get(), slot->successor.get(), slot->retiring.get()}) {
      if (child != nullptr) visit(*child);
    }
  }
}

Slot& Supervisor::Impl::slotOf(const Child& child) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
        return slot->current.get() == &child ||
               slot->successor.get() == &child ||
               slot->retiring.get() == &child;
      });
  return **found;
}

std::unique_ptr<Child>& Supervisor::Impl::ownerOf(Slot& slot,
                                                  const Child& child) {
  if (slot.current.get() == &child) return slot.current;
  if (slot.successor.get() == &child) return slot.successor;
  return slot.retiring;
}

// A child is called from its own callback: it goes at the end of the turn.
void Supervisor::Impl::bury(std::unique_ptr<Child> child) {
  if (buried_.empty()) {
    loop_.defer([this] { buried_.clear(); });
  }
  buried_.push_back(std::move(child));
}

void Supervisor::Impl::onChildFrame(Child& child, const Frame& frame) {
  Slot& slot = slotOf(child);
  if (frame.kind == FrameKind::kReady) {
    onReady(slot, child);
  } else if (frame.kind == FrameKind::kFailed) {
    child.failed(frame.payload);
    handler_.onFailed(slot.view(), frame.payload);
  } else if (frame.kind == FrameKind::kRetire) {
    onRetire(slot, child);
  } else if (frame.kind >= FrameKind::kFirstOfProgram) {
    handler_.onFrame(slot.view(), frame);
  }
}

void Supervisor::Impl::onReady(Slot& slot, Child& child) {
  child.becameReady();
  if (slot.successor.get() != &child) {
    handler_.onReady(slot.view());
    return;
  }
  slot.retiring = std::exchange(slot.current, std::move(slot.successor));
  handler_.onReady(slot.view());
  if (slot.retiring) {
    slot.retiring->end(FrameKind::kDrain,
                       reloadGrace_ == Grace::kGraceful ? "g" : "",
                       options_.stopTimeout);
  } else {
    replaceNext();
  }
}

void Supervisor::Impl::onChildExit(Child& child, ExitStatus status) {
  Slot& slot = slotOf(child);
  const bool expected = child.isEnding();
  const pid_t pid = child.pid();
  const std::string failure =
      child.failure().empty() ? status.toString() : child.failure();
  const Clock::duration served = child.served();
  std::unique_ptr<Child>& owner = ownerOf(slot, child);
  const bool wasCurrent = &owner == &slot.current;
  const bool wasSuccessor = &owner == &slot.successor;
  bury(std::move(owner));
  if (!expected || status.signal != 0) slot.lastExit = status.toString();
  if (wasCurrent) onCurrentGone(slot, served);
  handler_.onExit(slot.view(), pid, status, expected);
  if (wasSuccessor) {
    onSuccessorGone(slot, failure);
  } else if (!wasCurrent && replacing_ == &slot) {
    replaceNext();
  }
  if (::getpid() == 1) reapStrangers();
  checkStopped();
}

void Supervisor::Impl::onCurrentGone(Slot& slot, Clock::duration served) {
  // Its successor, when there is one on its way, takes over when it is ready.
  if (stopping_ || slot.successor) return;
  scheduleRestart(slot, served);
}

void Supervisor::Impl::onSuccessorGone(Slot& slot, const std::string& reason) {
  if (!stopping_ && !slot.current) {
    scheduleRestart(slot, Clock::duration::zero());
  }
  if (reloading_) {
    endReload(false, "worker " + std::to_string(slot.index) + ": " + reason);
  }
}

// ---- Reloads

void Supervisor::Impl::reload(Grace grace, Done done) {
  if (stopping_) {
    if (done) done(false, "the program is stopping");
    return;
  }
  reloadGrace_ = grace;
  if (reloading_) {
    again_ = true;
    nextDone_.push_back(std::move(done));
    return;
  }
  reloading_ = true;
  reloadDone_.push_back(std::move(done));
  for (const auto& slot : slots_) {
    if (groups_[slot->group].reloadable) {
      toReplace_.push_back(slot.get());
    } else {
      handler_.onReloadSkipped(slot->view());
    }
  }
  replaceNext();
}

void Supervisor::Impl::onRetire(Slot& slot, Child& child) {
  if (stopping_ || &child != slot.current.get()) return;
  toReplace_.push_back(&slot);
  if (reloading_) return;
  reloading_ = true;
  replaceNext();
}

void Supervisor::Impl::replaceNext() {
  replacing_ = nullptr;
  if (!reloading_) return;
  if (toReplace_.empty()) {
    endReload(true, "");
    return;
  }
  replacing_ = toReplace_.front();
  toReplace_.pop_front();
  forkSuccessor(*replacing_);
}

void Supervisor::Impl::forkSuccessor(Slot& slot) {
  if (slot.waiting) {
    loop_.del(slot.restart);
    slot.waiting = false;
  }
  try {
    slot.successor = fork(slot);
  } catch (const std::exception& e) {
    if (!slot.current) scheduleRestart(slot, Clock::duration::zero());
    endReload(false, e.what());
    return;
  }
  handler_.onForked(slot.view());
}

void Supervisor::Impl::endReload(bool ok, const std::string& reason) {
  reloading_ = false;
  replacing_ = nullptr;
  toReplace_.clear();
  const std::vector<Done> done = std::exchange(reloadDone_, {});
  for (const Done& each : done) {
    if (each) each(ok, reason);
  }
  if (!std::exchange(again_, false)) return;
  std::vector<Done> next = std::exchange(nextDone_, {});
  reload(reloadGrace_,
         [next = std::move(next)](bool fine, std::string_view why) {
           for (const Done& each : next) {
             if (each) each(fine, why);
           }
         });
}

// ---- The end

void Supervisor::Impl::stop(Grace grace, Done done) {
  const bool first = !std::exchange(stopping_, true);
  if (first) {
    stopDone_ = std::move(done);
    if (reloading_) endReload(false, "the program is stopping");
    for (const auto& slot : slots_) {
      if (std::exchange(slot->waiting, false)) loop_.del(slot->restart);
    }
  }
  if (first || grace == Grace::kFast) stopGrace_ = grace;
  forEachChild([this](Child& child) { endChild(child); });
  if (first) loop_.defer([this] { checkStopped(); });
}

void Supervisor::Impl::endChild(Child& child) {
  if (stopGrace_ == Grace::kFast) {
    child.end(FrameKind::kStop, "", options_.stopTimeout);
  } else {
    child.end(FrameKind::kDrain, "g", options_.stopTimeout);
  }
}

void Supervisor::Impl::checkStopped() {
  if (!stopping_ || childCount() > 0 || !stopDone_) return;
  const Done done = std::exchange(stopDone_, nullptr);
  done(true, "");
}

// ---- Facts and frames

Channel::Result Supervisor::Impl::send(unsigned index, FrameKind kind,
                                       std::string_view payload,
                                       std::uint64_t correlation) {
  if (index == 0 || index > slots_.size()) return Channel::Result::kGone;
  Child* child = slots_[index - 1]->addressee();
  if (child == nullptr) return Channel::Result::kGone;
  return child->channel().send(kind, payload, correlation);
}

void Supervisor::Impl::broadcast(FrameKind kind, std::string_view payload) {
  forEachChild([&](Child& child) { child.channel().send(kind, payload); });
}

std::vector<SlotView> Supervisor::Impl::slots() const {
  std::vector<SlotView> views;
  for (const auto& slot : slots_) views.push_back(slot->view());
  return views;
}

unsigned Supervisor::Impl::childCount() const {
  unsigned count = 0;
  forEachChild([&](Child&) { ++count; });
  return count;
}

void Supervisor::Impl::reapStrangers() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
      return;
    }
    bool ours = false;
    forEachChild([&](Child& child) { ours |= child.pid() == info.si_pid; });
    // One of ours is reaped through its pidfd, and then we look again.
    if (ours) return;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED);
  }
}

// ---- The public face

Supervisor::Supervisor(EventInterface& loop, SupervisorHandler& handler,
                       Options options)
    : impl_(std::make_unique<Impl>(loop, handler, options)) {}
Supervisor::~Supervisor() = default;

unsigned Supervisor::addGroup(ProcessGroup group) {
  return impl_->addGroup(std::move(group));
}
void Supervisor::start() { impl_->start(); }
void Supervisor::reload(Grace grace, Done done) {
  impl_->reload(grace, std::move(done));
}
void Supervisor::stop(Grace grace, Done done) {
  impl_->stop(grace, std::move(done));
}
Channel::Result Supervisor::send(unsigned index, FrameKind kind,
                                 std::string_view payload,
                                 std::uint64_t correlation) {
  return impl_->send(index, kind, payload, correlation);
}
void Supervisor::broadcast(FrameKind kind, std::string_view payload) {
  impl_->broadcast(kind, payload);
}
std::vector<SlotView> Supervisor::slots() const { return impl_->slots(); }
unsigned Supervisor::childCount() const { return impl_->childCount(); }
bool Supervisor::stopping() const { return impl_->stopping(); }
bool Supervisor::reloading() const { return impl_->reloading(); }
void Supervisor::reapStrangers() { impl_->reapStrangers(); }

}  // namespace brigade
