#include "brigade/Process/Programs.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "brigade/Events/Archive.h"
#include "brigade/Process/ProcessTitle.h"
#include "brigade/Process/detail/Fork.h"
#include "brigade/Process/detail/PreparedProgram.h"
#include "brigade/Process/detail/ProgramGuard.h"
#include "brigade/Process/detail/ProgramSlot.h"

namespace brigade {
namespace {

// After the stop time-out of a program, for its guard to kill what is left.
constexpr std::chrono::milliseconds kGuardsTime{500};

std::string exitText(const ExitStatus& status) {
  if (status.signal == 0) return "exited code " + std::to_string(status.code);
  return "exited signal " + std::to_string(status.signal) +
         (status.core ? " (core dumped)" : "");
}

}  // namespace

using detail::Child;
using detail::ProgramSlot;
namespace guard = detail::guard;

std::string_view toString(ProgramState state) {
  switch (state) {
    case ProgramState::kStarting:
      return "starting";
    case ProgramState::kRunning:
      return "running";
    case ProgramState::kStopping:
      return "stopping";
    case ProgramState::kBackoff:
      return "backoff";
    case ProgramState::kExited:
      return "exited";
    case ProgramState::kFailed:
      return "failed";
  }
  return "unknown";
}

ProgramView ProgramSlot::view() const {
  ProgramView view{};
  view.name = name();
  view.pid = pid;
  view.state = state;
  view.restarts = restarts;
  view.since = since;
  if (state == ProgramState::kBackoff) {
    view.backoff = std::max(restartAt - Clock::now(), Clock::duration::zero());
  }
  view.messages = messages;
  view.badMessages = badMessages;
  view.lastExit = lastExit;
  return view;
}

void Programs::check(const std::vector<Program>& programs) {
  detail::prepare(programs);
}

Programs::Programs(EventInterface& loop, ProgramHandler& handler,
                   const std::vector<Program>& programs, Options options)
    : loop_(loop), handler_(handler), options_(std::move(options)) {
  for (auto& prepared : detail::prepare(programs)) {
    prepared->openLog();
    auto owned = std::make_unique<Slot>(std::move(prepared));
    Slot& slot = *owned;
    slot.told = [this, &slot](std::string_view event, std::string_view data) {
      ++slot.messages;
      handler_.onProgramMessage({slot.name(), slot.pid, event, data});
    };
    slot.complained = [this, &slot](std::string_view reason) {
      onBadMessage(slot, reason);
    };
    slots_.push_back(std::move(owned));
  }
}

Programs::~Programs() {
  for (const auto& slot : slots_) loop_.del(slot->restart);
}

// ---- Starting

void Programs::start() {
  for (const auto& slot : slots_) launch(*slot);
}

void Programs::launch(Slot& slot) {
  slot.state = ProgramState::kStarting;
  slot.since = Clock::now();
  slot.status.reset();
  slot.failedForGood = false;
  try {
    fork(slot);
  } catch (const std::exception& e) {
    slot.channelEnd.reset();
    onFailed(slot, e.what());
  }
}

void Programs::fork(Slot& slot) {
  auto [mine, theirs] = Channel::makePair();
  ProgramChannel::Pair pair = ProgramChannel::makePair();
  slot.channelEnd = std::move(pair.master);
  const pid_t self = ::getpid();
  const pid_t pid = detail::forkProcess([&, &mine = mine, &theirs = theirs] {
    mine.reset();
    return runGuard(slot, self, std::move(theirs), std::move(pair.program));
  });
  detail::ChildHandler& handler = *this;
  try {
    slot.guard =
        std::make_unique<Child>(loop_, handler, pid, std::move(mine), 1, 0);
  } catch (...) {
    // Without a descriptor for it nobody would notice its end.
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw;
  }
  slot.guard->killAfter(options_.startTimeout);
}

// In the guard.
int Programs::runGuard(Slot& slot, pid_t master, FileDescriptor channel,
                       FileDescriptor program) {
  loop_.abandonInChild();
  handler_.inGuard();
  setProcessTitle(options_.title + slot.name());
  const auto patience =
      std::chrono::ceil<std::chrono::milliseconds>(stopTimeoutOf(slot));
  return detail::guardProgram(*slot.program, {master, patience},
                              std::move(channel), std::move(program));
}

void Programs::startLater(Slot& slot, Clock::duration served) {
  const Clock::duration wait = slot.backoff.onDeath(served);
  slot.state = ProgramState::kBackoff;
  slot.restartAt = Clock::now() + wait;
  startAt(slot);
}

void Programs::startAt(Slot& slot) {
  const Clock::duration left = slot.restartAt - Clock::now();
  slot.restart = loop_.add(std::max(left, Clock::duration::zero()),
                           Repeat::kOnce, [this, &slot] {
                             ++slot.restarts;
                             launch(slot);
                           });
}

void Programs::openChannel(Slot& slot) {
  slot.channel = std::make_unique<ProgramChannel>(
      loop_, std::move(slot.channelEnd),
      slot.program->settings.maxMessagesPerSecond, slot);
}

void Programs::onStarted(Slot& slot, std::string_view pid) {
  std::from_chars(pid.data(), pid.data() + pid.size(), slot.pid);
  slot.since = Clock::now();
  openChannel(slot);
  // Its end may have been asked for meanwhile.
  if (!slot.guard->isEnding()) slot.state = ProgramState::kRunning;
  slot.guard->becameReady();
  handler_.onProgramStart(slot.view());
}

// ---- Over execve(2)

void ProgramSlot::carry(Archive& archive) {
  bool hasStatus = status.has_value();
  archive(state, pid, hasStatus, failedForGood, startAgain, backoff, restartAt,
          since, restarts, messages, badMessages, lastExit);
  if (!hasStatus) return;
  if (!status) status.emplace();
  archive(status->code, status->signal, status->core);
}

void Programs::carry(Archive& archive) {
  auto size = static_cast<std::uint32_t>(slots_.size());
  archive(size);
  for (std::uint32_t i = 0; i < size; ++i) {
    std::string name = archive.isReading() ? "" : slots_[i]->name();
    archive(name);
    const auto found =
        std::find_if(slots_.begin(), slots_.end(),
                     [&](const auto& slot) { return slot->name() == name; });
    if (found == slots_.end()) {
      throw BadArchive("there is no program " + name + " any more");
    }
    carrySlot(archive, **found);
  }
}

void Programs::carrySlot(Archive& archive, Slot& slot) {
  archive(slot);
  bool isGuarded = slot.guard != nullptr;
  // One that the program has closed, or that was closed on it, is no more.
  bool isOpen = slot.channel && slot.channel->fd() >= 0;
  archive(isGuarded, isOpen);
  if (isGuarded) carryGuard(archive, slot);
  if (archive.isReading()) {
    slot.channelEnd = archive.readDescriptor();
    if (isOpen) openChannel(slot);
  } else {
    archive.write(isOpen ? slot.channel->fd() : slot.channelEnd.get());
  }
  if (isOpen) archive(*slot.channel);
  if (!archive.isReading() || slot.state != ProgramState::kBackoff) return;
  startAt(slot);
}

void Programs::carryGuard(Archive& archive, Slot& slot) {
  pid_t pid = slot.guard ? slot.guard->pid() : 0;
  archive(pid);
  if (archive.isReading()) {
    detail::ChildHandler& handler = *this;
    slot.guard = std::make_unique<Child>(loop_, handler, pid,
                                         archive.readDescriptor(), 1, 0);
  } else {
    archive.write(slot.guard->channel().fd());
  }
  archive(*slot.guard);
}

// ---- What a guard says

Programs::Slot& Programs::slotOf(const Child& child) {
  return **std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot->guard.get() == &child;
  });
}

void Programs::onChildFrame(Child& child, const Frame& frame) {
  Slot& slot = slotOf(child);
  if (frame.kind == FrameKind::kReady) {
    onStarted(slot, frame.payload);
  } else if (frame.kind == FrameKind::kFailed ||
             frame.kind == guard::kFailedForGood) {
    slot.failedForGood = frame.kind == guard::kFailedForGood;
    child.failed(frame.payload);
  } else if (frame.kind == guard::kEnded) {
    slot.status = detail::parseExit(frame.payload);
  }
}

// A child is called from its own callback: it goes at the end of the turn.
void Programs::bury(std::unique_ptr<Child> child) {
  if (buried_.empty()) {
    loop_.defer([this] { buried_.clear(); });
  }
  buried_.push_back(std::move(child));
}

void Programs::onChildExit(Child& child, ExitStatus status) {
  Slot& slot = slotOf(child);
  // The last words of the program, still by its PID.
  if (slot.channel) slot.channel->drain();
  const bool expected = child.isEnding();
  const bool started = slot.pid != 0;
  const Clock::duration served = child.served();
  const std::string failure = child.failure();
  bury(std::move(slot.guard));
  slot.channel.reset();
  slot.channelEnd.reset();
  const pid_t pid = std::exchange(slot.pid, 0);
  if (slot.status) {
    slot.lastExit = exitText(*slot.status);
  } else if (started) {
    slot.lastExit = "its guard: " + status.toString();
  } else if (expected) {
    slot.lastExit = "stopped before it ran";
  }
  if (started || expected) {
    onEnd(slot, pid, served, expected);
  } else {
    onFailed(slot, failure.empty() ? status.toString() : failure);
  }
  checkStopped();
}

void Programs::onEnd(Slot& slot, pid_t pid, Clock::duration served,
                     bool expected) {
  const bool reloaded = std::exchange(slot.startAgain, false);
  const bool again =
      slot.program->settings.restart == RestartPolicy::kKeepalive;
  slot.state = ProgramState::kExited;
  if (!stopping_ && !reloaded && again) startLater(slot, served);
  handler_.onProgramExit(slot.view(), pid, expected);
  if (!stopping_ && reloaded) launch(slot);
}

void Programs::onFailed(Slot& slot, const std::string& reason) {
  slot.lastExit = "cannot start: " + reason;
  slot.state = ProgramState::kFailed;
  // One that is to run once has not run.
  if (!slot.failedForGood && !stopping_) {
    startLater(slot, Clock::duration::zero());
  }
  handler_.onProgramFailed(slot.view(), reason);
}

void Programs::onBadMessage(Slot& slot, std::string_view reason) {
  ++slot.badMessages;
  handler_.onProgramBadMessage(slot.view(), reason);
  if (slot.program->settings.onBadMessage == OnBadMessage::kEndProgram) {
    end(slot);
  }
}

// ---- Orders

Clock::duration Programs::stopTimeoutOf(const Slot& slot) const {
  const auto& own = slot.program->settings.stopTimeout;
  return own ? Clock::duration(*own) : options_.stopTimeout;
}

void Programs::end(Slot& slot) {
  if (!slot.guard) return;
  slot.state = ProgramState::kStopping;
  slot.guard->end(FrameKind::kStop, "", stopTimeoutOf(slot) + kGuardsTime);
}

void Programs::stop(Done done) {
  stopping_ = true;
  stopDone_ = std::move(done);
  for (const auto& slot : slots_) {
    slot->startAgain = false;
    loop_.del(std::exchange(slot->restart, {}));
    if (slot->state == ProgramState::kBackoff) {
      slot->state = ProgramState::kExited;
    }
    end(*slot);
  }
  checkStopped();
}

void Programs::checkStopped() {
  if (!stopping_) return;
  const bool some = std::any_of(slots_.begin(), slots_.end(), [](auto& slot) {
    return slot->guard != nullptr;
  });
  if (!some && stopDone_) std::exchange(stopDone_, nullptr)();
}

void Programs::reload() {
  if (stopping_) return;
  for (const auto& slot : slots_) {
    if (!slot->program->settings.reloadable || !slot->guard) continue;
    slot->startAgain = true;
    end(*slot);
  }
}

void Programs::reopenLogs() {
  for (const auto& slot : slots_) {
    if (!slot->program->log) continue;
    try {
      slot->program->openLog();
    } catch (const std::exception& e) {
      handler_.onProgramLogKept(slot->view(), e.what());
      continue;
    }
    if (!slot->guard) continue;
    slot->guard->channel().send(
        {.kind = guard::kReopened, .descriptor = slot->program->log.get()});
  }
}

Programs::Result Programs::send(std::string_view program,
                                std::string_view event, std::string_view data) {
  for (const auto& slot : slots_) {
    if (slot->name() != program || !slot->channel) continue;
    return slot->channel->send(event, data);
  }
  return Result::kGone;
}

// ---- Facts

std::vector<ProgramView> Programs::views() const {
  std::vector<ProgramView> views;
  for (const auto& slot : slots_) views.push_back(slot->view());
  return views;
}

bool Programs::owns(pid_t pid) const {
  return std::any_of(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return slot->guard && slot->guard->pid() == pid;
  });
}

void Programs::closeInChild() {
  for (const auto& slot : slots_) {
    slot->program->log.reset();
    if (slot->guard) slot->guard->closeInChild();
    slot->channelEnd.reset();
    if (slot->channel) slot->channel->closeInChild();
  }
}

}  // namespace brigade
