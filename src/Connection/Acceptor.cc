#include "brigade/Connection/Acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>

namespace brigade {
namespace {

using std::chrono::milliseconds;

// How long descriptors or memory may take to come back.
constexpr milliseconds kRetryAfterFailure{100};
// How long another process may hold the accept lock: a few accepts.
constexpr milliseconds kRetryAfterBusy{1};
// Connections taken in one turn; others get their turn in between.
constexpr int kBatch = 16;

}  // namespace

Acceptor::Acceptor(EventInterface& loop, const Listener& listener,
                   AcceptorHandler& handler, AcceptLock* lock)
    : loop_(loop), fd_(listener.fd()), handler_(handler), lock_(lock) {}

Acceptor::~Acceptor() { pause(); }

void Acceptor::resume() {
  if (watching_) return;
  loop_.del(retry_);
  retry_ = {};
  loop_.add(fd_, Interest::kAccept, *this);
  watching_ = true;
}

void Acceptor::pause() {
  loop_.del(retry_);
  retry_ = {};
  if (!watching_) return;
  loop_.del(fd_);
  watching_ = false;
}

void Acceptor::retryAfter(Clock::duration delay) {
  pause();
  retry_ = loop_.add(delay, Repeat::kOnce, [this] { resume(); });
}

void Acceptor::onReady(Ready) {
  if (lock_ != nullptr && !lock_->tryLock()) {
    retryAfter(kRetryAfterBusy);
    return;
  }
  // One accept a turn would let a burst wait behind everybody's traffic.
  for (int i = 0; i < kBatch && acceptOne() == Step::kTaken; ++i) {
  }
  if (lock_ != nullptr) lock_->unlock();
}

void Acceptor::acceptAll() {
  while (acceptOne() == Step::kTaken) {
  }
}

Acceptor::Step Acceptor::acceptOne() {
  if (!handler_.wantsMore()) {
    pause();
    return Step::kPaused;
  }
  sockaddr_storage address;
  socklen_t length = sizeof address;
  FileDescriptor socket(::accept4(fd_, reinterpret_cast<sockaddr*>(&address),
                                  &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return onAcceptFailed(errno);
  failing_ = false;
  handler_.onAccept(std::move(socket), Endpoint(address));
  return Step::kTaken;
}

Acceptor::Step Acceptor::onAcceptFailed(int error) {
  switch (error) {
    case EAGAIN:  // another process was faster, or the client left
      return Step::kEmpty;
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:  // a firewall rule, accept(2)
      return Step::kTaken;
    default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM: trying at once would spin
      if (!failing_) handler_.onAcceptPaused(error);
      failing_ = true;
      retryAfter(kRetryAfterFailure);
      return Step::kPaused;
  }
}

}  // namespace brigade
