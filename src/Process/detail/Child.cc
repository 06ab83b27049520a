#include "brigade/Process/detail/Child.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "brigade/Events/Archive.h"
#include "brigade/Process/detail/WaitStatus.h"

namespace brigade::detail {
namespace {

// P_PIDFD of waitid(2); glibc 2.36 has it, its headers under another name.
constexpr auto kPidfd = static_cast<idtype_t>(3);

FileDescriptor openPidfd(pid_t pid) {
  FileDescriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot watch a worker process");
  }
  return fd;
}

std::string inMilliseconds(Clock::duration time) {
  using std::chrono::milliseconds;
  const auto count = std::chrono::duration_cast<milliseconds>(time).count();
  return std::to_string(count) + " ms";
}

// Of a process that somebody else has reaped.
constexpr int kStatusLost = 255;

}  // namespace

Child::Child(EventInterface& loop, ChildHandler& handler, pid_t pid,
             FileDescriptor channel, unsigned generation, unsigned seat)
    : loop_(loop),
      handler_(handler),
      pid_(pid),
      pidfd_(openPidfd(pid)),
      channel_(loop, std::move(channel), *this),
      generation_(generation),
      seat_(seat),
      since_(Clock::now()) {
  loop_.add(pidfd_.get(), Interest::kRead, *this);
}

Child::~Child() {
  loop_.del(deadline_);
  if (!pidfd_) return;
  loop_.del(pidfd_.get());
  kill();
  siginfo_t info{};
  ::waitid(kPidfd, static_cast<id_t>(pidfd_.get()), &info, WEXITED);
}

Clock::duration Child::served() const {
  return wasReady() ? Clock::now() - readyAt_ : Clock::duration::zero();
}

void Child::becameReady() {
  readyAt_ = Clock::now();
  if (state_ != State::kStarting) return;
  state_ = State::kReady;
  loop_.del(deadline_);
}

void Child::end(FrameKind how, std::string_view payload,
                Clock::duration patience) {
  const State next =
      how == FrameKind::kStop ? State::kStopping : State::kDraining;
  if (state_ == State::kStopping || state_ == next) return;
  const bool first = !isEnding();
  state_ = next;
  if (first) handler_.onChildEnding(*this);
  // Behind all that waits, however much it is: it is told once. A process that
  // does not read any more is killed all the same.
  const Frame frame{how, payload};
  if (channel_.send(frame) == Channel::Result::kFull) channel_.post(frame);
  if (first) killAfter(patience);
}

void Child::killAfter(Clock::duration patience) {
  patience_ = patience;
  deadlineAt_ = Clock::now() + patience;
  awaitDeadline();
}

void Child::awaitDeadline() {
  loop_.del(deadline_);
  const Clock::duration left = deadlineAt_ - Clock::now();
  deadline_ = loop_.add(std::max(left, Clock::duration::zero()), Repeat::kOnce,
                        [this] { onDeadline(); });
}

void Child::onDeadline() {
  if (state_ == State::kStarting) {
    tooSlow_ = true;
    failure_ = "not ready within " + inMilliseconds(patience_);
  } else {
    killedFor_ = ExitCause::kStopTimeout;
    detail_ = "not ended within " + inMilliseconds(patience_);
  }
  kill();
}

void Child::carry(Archive& archive) {
  archive(image_, state_, since_, readyAt_, deadlineAt_, patience_, failure_,
          tooSlow_, leaving_, killedFor_, detail_);
  channel_.carry(archive);
  const bool awaited = state_ != State::kReady;
  if (archive.isReading() && awaited) awaitDeadline();
}

void Child::leaves(std::string_view reason, Clock::duration patience) {
  state_ = State::kDraining;
  leaving_ = true;
  detail_ = "left after " + std::string(reason);
  killAfter(patience);
}

void Child::killHung(Clock::duration time) {
  killedFor_ = ExitCause::kHung;
  detail_ = "hung for " + inMilliseconds(time);
  kill();
}

ExitStatus Child::explain(ExitStatus status) const {
  if (status.signal == SIGKILL && killedFor_ != ExitCause::kUnknown) {
    status.cause = killedFor_;
    status.detail = detail_;
  } else if (!wasReady() && !isEnding()) {
    status.cause = ExitCause::kNotStarted;
    status.detail =
        failure_.empty() ? "failed to start" : "failed to start: " + failure_;
  } else if (leaving_) {
    status.cause = ExitCause::kException;
    status.detail = detail_;
  }
  return status;
}

void Child::kill() {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void Child::closeInChild() {
  pidfd_.reset();
  channel_.closeInChild();
}

void Child::onReady(Ready) {
  siginfo_t info{};
  // It may have been reaped by the program's own code: how it ended is lost,
  // but it has.
  if (::waitid(kPidfd, static_cast<id_t>(pidfd_.get()), &info,
               WEXITED | WNOHANG) != 0) {
    if (errno != ECHILD) return;
    info.si_code = CLD_EXITED;
    info.si_status = kStatusLost;
  } else if (info.si_pid == 0) {
    return;
  }
  loop_.del(deadline_);
  loop_.del(pidfd_.get());
  pidfd_.reset();
  channel_.drain();
  handler_.onChildExit(*this, statusOf(info));
}

void Child::onFrame(const Frame& frame) { handler_.onChildFrame(*this, frame); }

}  // namespace brigade::detail
