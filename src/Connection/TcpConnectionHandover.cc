// A connection on its way to another process: what it is, written down, and
// one that is made from that.

#include <chrono>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/SavedConnection.h"
#include "brigade/Connection/TcpConnection.h"
#include "brigade/Connection/detail/ReceiveTail.h"
#include "brigade/Connection/detail/SendQueue.h"

namespace brigade {

// Not what is closing, what leads to another connection, and a file that is
// being sent.
bool TcpConnection::canHandOver() const {
  const bool sendsFile = queue_ && queue_->size() != queue_->length();
  return status_ == Status::kEstablished && !piped_ && !outputEnds_ &&
         !sendsFile && table_.batch_ != this;
}

SavedConnection TcpConnection::save() const {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  const ConnectionLimits& limits = table_.limits_;
  const auto own = [](std::uint32_t value, std::size_t usual) {
    return value == usual ? 0 : value;
  };
  SavedConnection saved;
  saved.id = id_;
  saved.remote = remote_;
  saved.bytesRead = bytesRead_;
  saved.bytesWritten = bytesWritten_;
  saved.maxPackageSize = own(maxPackageSize_, limits.maxPackageSize);
  saved.maxSendBufferSize = own(maxSendBufferSize_, limits.maxSendBufferSize);
  saved.idleTimeoutMs = idleTimeoutMs_;
  saved.hasIdleTimeout = milliseconds(idleTimeoutMs_) !=
                         duration_cast<milliseconds>(limits.idleTimeout);
  saved.packageTimed = packageTimed_;
  saved.paused = paused_;
  saved.full = full_;
  saved.ended = ended_;
  if (tail_) saved.unread = tail_->bytes();
  if (queue_) saved.unsent = queue_->copy();
  return saved;
}

// In place of begin(). What was received already is handled when this turn
// ends, not before the program knows the connection.
void TcpConnection::restore(const SavedConnection& saved) {
  bytesRead_ = saved.bytesRead;
  bytesWritten_ = saved.bytesWritten;
  if (saved.maxPackageSize != 0) maxPackageSize_ = saved.maxPackageSize;
  if (saved.maxSendBufferSize != 0) {
    maxSendBufferSize_ = saved.maxSendBufferSize;
  }
  packageTimed_ = saved.packageTimed;
  paused_ = saved.paused;
  full_ = saved.full;
  ended_ = saved.ended;
  if (!saved.unread.empty()) {
    tail_ = table_.takeTail();
    tail_->assign(saved.unread);
  }
  if (!saved.unsent.empty()) {
    queue_ = std::make_unique<detail::SendQueue>();
    const iovec bytes{const_cast<char*>(saved.unsent.data()),
                      saved.unsent.size()};
    queue_->append({&bytes, 1}, 0);
  }
  if (!paused_) deliverTailLater();
  watch();
  setIdleTimeout(saved.hasIdleTimeout
                     ? std::chrono::milliseconds(saved.idleTimeoutMs)
                     : table_.limits_.idleTimeout);
}

void TcpConnection::detach() {
  status_ = Status::kHandedOver;
  if (watched_ != 0) table_.loop_.del(socket_.get());
  watched_ = 0;
  table_.wheel_.clear(*this);
}

void TcpConnection::reattach() {
  status_ = Status::kEstablished;
  incomplete_ = false;
  if (!paused_) deliverTailLater();
  watch();
  refreshTimeout();
}

}  // namespace brigade
