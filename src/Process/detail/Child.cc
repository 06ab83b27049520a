#include "brigade/Process/detail/Child.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace brigade::detail {
namespace {

// P_PIDFD of waitid(2); glibc 2.36 has it, its headers under another name.
constexpr auto kPidfd = static_cast<idtype_t>(3);

FileDescriptor openPidfd(pid_t pid) {
  FileDescriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot watch the process");
  }
  return fd;
}

ExitStatus statusOf(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.core = info.si_code == CLD_DUMPED;
  }
  return status;
}

std::string inWords(Clock::duration time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time);
  return ms.count() % 1000 == 0 ? std::to_string(ms.count() / 1000) + " s"
                                : std::to_string(ms.count()) + " ms";
}

}  // namespace

Child::Child(EventInterface& loop, ChildHandler& handler, pid_t pid,
             FileDescriptor channel, unsigned generation,
             Clock::duration readyTimeout)
    : loop_(loop),
      handler_(handler),
      pid_(pid),
      pidfd_(openPidfd(pid)),
      channel_(loop, std::move(channel), *this),
      generation_(generation),
      since_(Clock::now()) {
  loop_.add(pidfd_.get(), Interest::kRead, *this);
  killAfter(readyTimeout, [this, readyTimeout] {
    fail("not ready within " + inWords(readyTimeout));
  });
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
  return readyAt_ == Clock::time_point{} ? Clock::duration::zero()
                                         : Clock::now() - readyAt_;
}

bool Child::move(ChildEvent event) {
  const std::optional<ChildState> next = after(state_, event);
  if (next) state_ = *next;
  return next.has_value();
}

void Child::end(ChildEvent how, std::string_view payload,
                Clock::duration patience) {
  if (!move(how)) return;
  // A process that does not read any more is killed all the same.
  channel_.send(
      how == ChildEvent::kStop ? FrameKind::kStop : FrameKind::kDrain, payload);
  if (std::exchange(toldToEnd_, true)) return;
  killAfter(patience, [this, patience] {
    reason_ = "not gone within " + inWords(patience);
  });
}

void Child::killAfter(Clock::duration patience,
                      EventInterface::Callback first) {
  loop_.del(deadline_);
  deadline_ =
      loop_.add(patience, Repeat::kOnce, [this, first = std::move(first)] {
        kill();
        first();
      });
}

void Child::kill() {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

void Child::fail(std::string_view reason) {
  reason_ = reason;
  handler_.onChildFailed(*this, reason);
}

void Child::closeInChild() {
  pidfd_.reset();
  channel_.closeInChild();
}

void Child::onReady(Ready) {
  siginfo_t info{};
  const int result = ::waitid(kPidfd, static_cast<id_t>(pidfd_.get()), &info,
                              WEXITED | WNOHANG);
  if (result != 0 && errno == EINTR) return;
  if (result == 0 && info.si_pid == 0) return;
  // The program's own wait(2) may have been faster: it knows, we do not.
  const ExitStatus status =
      result == 0 ? statusOf(info) : ExitStatus{.code = ExitStatus::kUnknown};
  loop_.del(deadline_);
  loop_.del(pidfd_.get());
  pidfd_.reset();
  move(ChildEvent::kExit);
  channel_.drain();
  // A grandchild may hold the other end and go on talking.
  channel_.close();
  handler_.onChildExit(*this, status);
}

void Child::onFrame(const Frame& frame) {
  if (frame.kind == FrameKind::kFailed) {
    fail(frame.payload);
  } else if (frame.kind != FrameKind::kReady) {
    handler_.onChildFrame(*this, frame);
  } else if (move(ChildEvent::kReady)) {
    readyAt_ = Clock::now();
    loop_.del(deadline_);
    handler_.onChildReady(*this);
  }
}

}  // namespace brigade::detail
