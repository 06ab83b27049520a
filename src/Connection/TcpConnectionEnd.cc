#include "brigade/Connection/TcpConnection.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/detail/SendQueue.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {
namespace {

// How long a closing connection waits for a peer that takes nothing.
constexpr std::chrono::seconds kCloseTimeout{30};

}  // namespace

void TcpConnection::onReceiveFailed(ssize_t result) {
  if (result == -EAGAIN) return;
  if (result == 0) {
    onEndOfInput();
  } else {
    // The peer reset the connection: an error only for what it did not get.
    finish(queue_ ? static_cast<int>(-result) : 0);
  }
}

// Still watched, so that a peer that leaves is noticed, and nothing has to be
// told to the kernel when it is resumed before more comes. Behind messages that
// wait nothing is noticed: they come first.
void TcpConnection::onReadableWhilePaused() {
  const ssize_t ahead = table_.transport().peek(socket_.get());
  if (ahead == -EAGAIN) return;
  if (ahead < 0 && !tail_) {
    onReceiveFailed(ahead);
    return;
  }
  peeked_ = true;
  watch();
  if (ahead == 0 && !tail_) guarded(&ConnectionHandler::onEndAhead);
}

void TcpConnection::onEndOfInput() {
  ended_ = true;
  watch();
  if (piped_ && relayEnd()) return;
  guarded(&ConnectionHandler::onEnd);
}

void TcpConnection::close() {
  if (status_ != Status::kEstablished) return;
  status_ = Status::kClosing;
  // The batch's answers come first.
  if (table_.batch_ != this) endOrWait();
}

// Closing: what is queued has kCloseTimeout to make progress.
void TcpConnection::endOrWait() {
  if (!queue_) {
    finish(0);
    return;
  }
  watch();
  refreshTimeout();
}

void TcpConnection::destroy() {
  if (status_ == Status::kClosed) return;
  queue_.reset();
  ended_ = true;  // nothing is owed to the peer: no lingering
  finish(0);
}

std::uint64_t TcpConnection::outputPosition() const {
  const std::size_t queued = queue_ ? queue_->length() : 0;
  const bool inBatch = table_.batch_ == this;
  return bytesWritten_ + queued + (inBatch ? table_.corked_.size() : 0);
}

void TcpConnection::closeBehind(std::uint64_t position) {
  if (status_ == Status::kClosed) return;
  const auto keep = [&](std::uint64_t begin, std::size_t size) {
    return std::clamp<std::uint64_t>(position, begin, begin + size) - begin;
  };
  const std::size_t queued = queue_ ? queue_->length() : 0;
  if (table_.batch_ == this) {
    Output& batch = table_.corked_;
    batch.truncate(keep(bytesWritten_ + queued, batch.size()));
  }
  if (queue_) queue_->truncate(keep(bytesWritten_, queued));
  if (queue_ && queue_->empty()) queue_.reset();
  status_ = Status::kClosing;
  if (table_.batch_ != this) endOrWait();
}

// In a batch the output that the peer cannot get any more is dropped by
// handleInput().
void TcpConnection::sendFailed(int error) {
  table_.counters_.sendFailures.add();
  ended_ = true;
  finish(error);
}

void TcpConnection::finish(int sendError) {
  if (status_ == Status::kClosed) return;
  status_ = Status::kClosed;
  if (watched_ != 0) table_.loop_.del(socket_.get());
  watched_ = 0;
  table_.wheel_.clear(*this);
  linger_ = !ended_ && sendError == 0;
  table_.onClosed(*this, sendError);
}

void TcpConnection::refuseInput(ErrorCode code, Refusal refusal,
                                std::string_view reason) {
  table_.counters_.protocolErrors.add();
  report(code, reason);
  sayLastWords(refusal);
  close();
}

void TcpConnection::onTimeout() {
  if (status_ == Status::kClosing) {
    table_.counters_.sendFailures.add();
    report(ErrorCode::kSendTimeout, "the peer does not read the last bytes");
    destroy();
    return;
  }
  if (incomplete_) {
    refuseInput(ErrorCode::kPackageTimeout, Refusal::kTimeout,
                "a package was begun and not finished in time");
    return;
  }
  if (staysWhenIdle()) {
    if (status_ == Status::kEstablished) refreshTimeout();
    return;
  }
  report(ErrorCode::kIdleTimeout,
         "nothing moved for " + std::to_string(idleTimeoutMs_) + " ms");
  sayLastWords(Refusal::kTimeout);
  close();
}

bool TcpConnection::staysWhenIdle() {
  try {
    return table_.handler_.onIdle(*this);
  } catch (...) {
    onCallbackThrew();
    return true;
  }
}

// The wheel has one entry for each connection: while a package is incomplete
// its time-out runs in place of the idle one, and bytes do not prolong it.
void TcpConnection::timePackage(bool incomplete, bool isNew) {
  if (incomplete == incomplete_ && !(incomplete && isNew)) return;
  if (incomplete && !isPackageTimed()) return;
  incomplete_ = incomplete;
  if (incomplete) {
    table_.wheel_.set(*this, table_.limits_.packageTimeout);
  } else {
    table_.wheel_.clear(*this);
    refreshTimeout();
  }
}

bool TcpConnection::isPackageTimed() const {
  return packageTimed_ &&
         table_.limits_.packageTimeout > Clock::duration::zero();
}

void TcpConnection::setPackageTimed(bool timed) {
  packageTimed_ = timed;
  if (!timed) timePackage(false, false);
}

void TcpConnection::setIdleTimeout(Clock::duration timeout) {
  using std::chrono::milliseconds;
  const auto count = std::chrono::duration_cast<milliseconds>(timeout).count();
  idleTimeoutMs_ = static_cast<std::uint32_t>(
      std::clamp<milliseconds::rep>(count, 0, UINT32_MAX));
  if (status_ != Status::kEstablished) return;
  if (idleTimeoutMs_ == 0 && !incomplete_) table_.wheel_.clear(*this);
  refreshTimeout();
}

void TcpConnection::setTimeout() {
  if (status_ == Status::kClosing) {
    table_.wheel_.set(*this, kCloseTimeout);
  } else if (!incomplete_) {
    table_.wheel_.set(*this, std::chrono::milliseconds(idleTimeoutMs_));
  }
}

void TcpConnection::report(ErrorCode code, std::string_view reason) {
  try {
    table_.handler_.onTrouble(*this, code, reason);
    table_.handler_.onError(*this, code, reason);
  } catch (...) {
    table_.counters_.exceptions.add();
    table_.handler_.onThrown(*this, std::current_exception());
  }
}

void TcpConnection::guarded(
    void (ConnectionHandler::*callback)(TcpConnection&)) {
  try {
    (table_.handler_.*callback)(*this);
  } catch (...) {
    onCallbackThrew();
  }
}

void TcpConnection::onCallbackThrew() {
  table_.counters_.exceptions.add();
  const std::exception_ptr exception = std::current_exception();
  report(ErrorCode::kException, exceptionText(exception));
  close();
  table_.handler_.onThrown(*this, exception);
}

}  // namespace brigade
