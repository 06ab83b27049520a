#include "brigade/Connection/Acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace brigade {
namespace {

using std::chrono::milliseconds;

// How long descriptors or memory may take to come back.
constexpr milliseconds kRetryAfterFailure{100};
// How long another process may hold the accept lock: a few accepts.
constexpr milliseconds kRetryAfterBusy{1};

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
  Batch batch;
  const std::size_t count = accept(batch);
  // The program's code does not run under the lock.
  if (lock_ != nullptr) lock_->unlock();
  handOn(batch, count);
}

void Acceptor::acceptAll() {
  Batch batch;
  while (handOn(batch, accept(batch)) > 0) {
  }
}

// One accept a turn would let a burst wait behind everybody's traffic.
std::size_t Acceptor::accept(Batch& batch) {
  const std::size_t most = std::min(handler_.room(), kBatch);
  if (most == 0) pause();
  std::size_t count = 0;
  for (std::size_t i = 0; i < most; ++i) {
    sockaddr_storage address;
    socklen_t length = sizeof address;
    FileDescriptor socket(::accept4(fd_, reinterpret_cast<sockaddr*>(&address),
                                    &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      failing_ = false;
      batch[count++] = {std::move(socket), Endpoint(address)};
    } else if (!goesOnAfter(errno)) {
      break;
    }
  }
  return count;
}

std::size_t Acceptor::handOn(Batch& batch, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    handler_.onAccept(std::move(batch[i].socket), batch[i].remote);
  }
  return count;
}

bool Acceptor::goesOnAfter(int error) {
  switch (error) {
    case EAGAIN:  // another process was faster, or the client left
      return false;
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:  // a firewall rule, accept(2)
      return true;
    default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM: trying at once would spin
      if (!failing_) handler_.onAcceptPaused(error);
      failing_ = true;
      retryAfter(kRetryAfterFailure);
      return false;
  }
}

}  // namespace brigade
