#include "brigade/Connection/TcpConnection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/detail/ReceiveTail.h"
#include "brigade/Connection/detail/SendQueue.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {
namespace {

// How long a closing connection waits for a peer that takes nothing.
constexpr std::chrono::seconds kCloseTimeout{30};

std::uint32_t clampSize(std::size_t bytes) {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

TcpConnection::TcpConnection(ConnectionTable& table, ConnectionId id,
                             FileDescriptor socket, const Endpoint& remote,
                             std::unique_ptr<ProtocolInterface> protocol)
    : table_(table),
      protocol_(std::move(protocol)),
      id_(id),
      fd_(socket.release()),
      maxSendBufferSize_(clampSize(table.limits_.maxSendBufferSize)),
      maxPackageSize_(clampSize(table.limits_.maxPackageSize)),
      remote_(remote) {}

TcpConnection::~TcpConnection() { FileDescriptor closer(fd_); }

void TcpConnection::begin() {
  watch();
  setIdleTimeout(table_.limits_.idleTimeout);
}

void TcpConnection::onReady(Ready ready) {
  if (ready.write && queue_) onWritable();
  if (ready.read && status_ == Status::kEstablished && !paused_) onReadable();
}

// ---- Receiving

void TcpConnection::onReadable() {
  // Behind the system call they are wanted, and cold when there are many.
  __builtin_prefetch(protocol_.get());
  __builtin_prefetch(&bytesRead_, 1);
  const bool longTail = tail_ && tail_->size() > detail::ReceiveTail::kShort;
  const ssize_t received =
      longTail ? receiveIntoTail() : receiveBehindShortTail();
  if (received <= 0) {
    onReceiveFailed(received);
    return;
  }
  bytesRead_ += static_cast<std::uint64_t>(received);
  table_.counters_.bytesRead.add(static_cast<std::uint64_t>(received));
  refreshTimeout();
  if (longTail) {
    handleInput(tail_->writable());
  } else {
    const std::size_t kept = tail_ ? tail_->size() : 0;
    handleInput(
        {table_.receiveBuffer(), kept + static_cast<std::size_t>(received)});
  }
}

ssize_t TcpConnection::receiveBehindShortTail() {
  char* buffer = table_.receiveBuffer();
  std::size_t kept = 0;
  if (tail_) {
    kept = tail_->size();
    std::memcpy(buffer, tail_->bytes().data(), kept);
  }
  return table_.receive(fd_, buffer + kept, ConnectionTable::kReceive);
}

ssize_t TcpConnection::receiveIntoTail() {
  tail_->reserve();
  const ssize_t received =
      table_.receive(fd_, tail_->spare(), tail_->spareSize());
  if (received > 0) tail_->commit(static_cast<std::size_t>(received));
  return received;
}

void TcpConnection::onReceiveFailed(ssize_t result) {
  if (result == -EAGAIN) return;
  if (result == 0) {
    onEndOfInput();
  } else {
    // The peer reset the connection: an error only for what it did not get.
    finish(queue_ ? static_cast<int>(-result) : 0);
  }
}

// The batch: everything that the callbacks send to this connection gathers in
// one output, and leaves in one system call behind the last message.
void TcpConnection::handleInput(std::span<char> bytes) {
  std::size_t expected = 0;
  std::size_t consumed = 0;
  {
    const ConnectionTable::Batch batch(table_, *this);
    table_.corked_.setInput({bytes.data(), bytes.size()});
    consumed = deliver(bytes, expected);
  }
  if (status_ != Status::kClosed && !table_.corked_.empty()) {
    flush(table_.corked_);
  }
  table_.corked_.clear();
  if (status_ == Status::kEstablished) {
    const std::span<char> rest = bytes.subspan(consumed);
    keep({rest.data(), rest.size()}, expected);
  } else if (status_ == Status::kClosing) {
    endOrWait();
  }
}

std::size_t TcpConnection::deliver(std::span<char> bytes,
                                   std::size_t& expected) {
  std::size_t consumed = 0;
  try {
    while (consumed < bytes.size() && status_ == Status::kEstablished &&
           !paused_) {
      const std::size_t size =
          std::min<std::size_t>(bytes.size() - consumed, maxPackageSize_);
      const Packet packet = protocol_->input({bytes.data() + consumed, size});
      if (!packet.isWhole() || packet.length - 1 >= size) {
        expected = packet.length;
        checkIncomplete(packet, size);
        break;
      }
      const std::span<char> whole = bytes.subspan(consumed, packet.length);
      consumed += packet.length;
      if (packet.kind == Packet::Kind::kWhole) handlePacket(whole);
    }
  } catch (const ProtocolError& e) {
    refuseInput(ErrorCode::kProtocol, Refusal::kMalformed, e.what());
  } catch (...) {
    onCallbackThrew();
  }
  return consumed;
}

void TcpConnection::handlePacket(std::span<char> packet) {
  const Message message = protocol_->decode(packet);
  table_.counters_.messages.add();
  if (piped_) {
    relay(message);
  } else {
    table_.handler_.onMessage(*this, message);
  }
}

void TcpConnection::checkIncomplete(const Packet& packet, std::size_t present) {
  switch (packet.kind) {
    case Packet::Kind::kMore:
      if (packet.length > maxPackageSize_ || present >= maxPackageSize_) {
        refuseInput(
            ErrorCode::kPackageTooLong, Refusal::kTooLong,
            (packet.length == 0 ? "longer than"
                                : "of " + std::to_string(packet.length) +
                                      " bytes, more than") +
                " maxPackageSize (" + std::to_string(maxPackageSize_) +
                " bytes)");
      }
      break;
    case Packet::Kind::kMalformed:
      refuseInput(ErrorCode::kProtocol, Refusal::kMalformed, packet.reason);
      break;
    case Packet::Kind::kWhole:
    case Packet::Kind::kSilent:
      refuseInput(ErrorCode::kProtocol, Refusal::kMalformed,
                  "the codec reported a package of impossible length");
      break;
  }
}

void TcpConnection::keep(std::string_view rest, std::size_t expected) {
  if (rest.empty()) {
    if (tail_) table_.giveTail(std::move(tail_));
    return;
  }
  const bool inTail = tail_ && tail_->holds(rest);
  if (inTail && rest.size() > detail::ReceiveTail::kShort) {
    tail_->consume(tail_->size() - rest.size());
  } else if (inTail && tail_->capacity() > detail::ReceiveTail::kShort) {
    auto shortTail = table_.takeTail();
    shortTail->assign(rest);
    tail_ = std::move(shortTail);
  } else {
    if (!tail_) tail_ = table_.takeTail();
    tail_->assign(rest);
  }
  tail_->expect(expected);
}

void TcpConnection::pauseRecv() {
  paused_ = true;
  if (status_ == Status::kEstablished) watch();
}

void TcpConnection::resumeRecv() {
  if (!paused_) return;
  paused_ = false;
  if (resuming_ || status_ != Status::kEstablished) return;
  // Messages that already wait come first, and not inside the caller.
  resuming_ = true;
  table_.loop_.defer([table = &table_, id = id_] {
    if (TcpConnection* connection = table->find(id)) connection->onResumed();
  });
}

void TcpConnection::onResumed() {
  resuming_ = false;
  if (paused_ || status_ != Status::kEstablished) return;
  if (tail_) handleInput(tail_->writable());
  if (status_ == Status::kEstablished) watch();
}

void TcpConnection::onEndOfInput() {
  ended_ = true;
  watch();
  if (piped_ && relayEnd()) return;
  guarded(&ConnectionHandler::onEnd);
}

// ---- Pipes

void TcpConnection::pipe(TcpConnection& to) {
  if (to.piped_ && table_.find(to.extras_->pipeFrom) != nullptr &&
      to.extras_->pipeFrom != id_) {
    throw std::logic_error("this connection is the target of another pipe");
  }
  for (TcpConnection* end : {this, &to}) {
    if (!end->extras_) end->extras_ = std::make_unique<Extras>();
    end->piped_ = true;
  }
  extras_->pipeTo = to.id_;
  to.extras_->pipeFrom = id_;
  if (to.full_) pauseRecv();
}

void TcpConnection::relay(const Message& message) {
  TcpConnection* to = table_.find(extras_->pipeTo);
  if (to == nullptr) {
    // Only a target: its own messages are the program's.
    if (extras_->pipeTo == ConnectionId{})
      table_.handler_.onMessage(*this, message);
    return;
  }
  to->send(message);
  if (to->full_) pauseRecv();
}

// Of two connections piped into each other, one may end while the other still
// answers. True: the connection stays for that.
bool TcpConnection::relayEnd() {
  TcpConnection* to = table_.find(extras_->pipeTo);
  if (to == nullptr || to->extras_->pipeTo != id_ || to->ended_) return false;
  to->endOutput();
  return true;
}

void TcpConnection::closePipe() {
  if (!piped_) return;
  for (const ConnectionId other : {extras_->pipeTo, extras_->pipeFrom}) {
    if (TcpConnection* connection = table_.find(other)) connection->close();
  }
}

// ---- Sending

SendResult TcpConnection::send(const Message& message) {
  return write(message, protocol_.get());
}

SendResult TcpConnection::sendRaw(std::string_view bytes) {
  return write(bytes, nullptr);
}

SendResult TcpConnection::write(const Message& message,
                                ProtocolInterface* codec) {
  if (status_ != Status::kEstablished || outputEnds_ ||
      (queue_ && queue_->size() >= mark())) {
    table_.counters_.sendFailures.add();
    return SendResult::kDropped;
  }
  return put(message, codec);
}

SendResult TcpConnection::put(const Message& message,
                              ProtocolInterface* codec) {
  const bool inBatch = table_.batch_ == this;
  Output& output = inBatch ? table_.corked_ : table_.direct_;
  const std::size_t before = output.size();
  try {
    output.setMessage(message.data());
    if (codec != nullptr) {
      codec->encode(message, output);
    } else {
      output.append(message.data());
    }
  } catch (...) {
    output.truncate(before);
    throw;
  }
  if (!inBatch || output.wantsFlush()) flush(output);
  if (status_ == Status::kClosed) return SendResult::kDropped;
  return queue_ ? SendResult::kQueued : SendResult::kSent;
}

void TcpConnection::flush(Output& output) {
  const std::span<const iovec> pieces = output.pieces();
  std::size_t sent = 0;
  if (!queue_ && !output.empty()) {
    const ssize_t result = table_.send(fd_, pieces);
    if (result < 0 && result != -EAGAIN) {
      output.forgetBytes();
      sendFailed(static_cast<int>(-result));
      return;
    }
    sent = result > 0 ? static_cast<std::size_t>(result) : 0;
    bytesWritten_ += sent;
    table_.counters_.bytesWritten.add(sent);
    // In a batch what was received has done it.
    if (sent > 0 && table_.batch_ != this) refreshTimeout();
  }
  const bool rest = sent < output.size();
  if (rest) enqueue(pieces, sent);
  output.forgetBytes();
  if (rest) checkFull();
}

void TcpConnection::enqueue(std::span<const iovec> pieces, std::size_t skip) {
  if (!queue_) queue_ = std::make_unique<detail::SendQueue>();
  queue_->append(pieces, skip);
  watch();
}

void TcpConnection::checkFull() {
  if (full_ || queue_->size() < mark()) return;
  full_ = true;
  // The source of a pipe looks for itself (relay).
  if (piped_ && extras_->pipeFrom != ConnectionId{}) return;
  guarded(&ConnectionHandler::onBufferFull);
}

std::size_t TcpConnection::mark() const {
  return maxSendBufferSize_ - maxSendBufferSize_ / 8;
}

void TcpConnection::onWritable() {
  const ssize_t result = table_.send(fd_, queue_->front());
  if (result == -EAGAIN) return;
  if (result < 0) {
    sendFailed(static_cast<int>(-result));
    return;
  }
  const auto sent = static_cast<std::size_t>(result);
  queue_->consume(sent);
  bytesWritten_ += sent;
  table_.counters_.bytesWritten.add(sent);
  refreshTimeout();
  if (queue_->empty()) onDrained();
}

void TcpConnection::onDrained() {
  queue_.reset();
  watch();
  if (full_) {
    full_ = false;
    TcpConnection* source = piped_ ? table_.find(extras_->pipeFrom) : nullptr;
    if (source != nullptr) {
      source->resumeRecv();
    } else {
      guarded(&ConnectionHandler::onBufferDrain);
    }
  }
  if (queue_ || status_ == Status::kClosed) return;
  if (status_ == Status::kClosing) {
    finish(0);
  } else if (outputEnds_) {
    ::shutdown(fd_, SHUT_WR);
  }
}

void TcpConnection::endOutput() {
  outputEnds_ = true;
  if (!queue_) ::shutdown(fd_, SHUT_WR);
}

// ---- Ending

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

void TcpConnection::close(const Message& last) {
  if (status_ != Status::kEstablished) return;
  try {
    // Past the mark as well: nothing can follow it.
    if (!outputEnds_) put(last, protocol_.get());
  } catch (...) {
    close();
    throw;
  }
  close();
}

void TcpConnection::destroy() {
  if (status_ == Status::kClosed) return;
  queue_.reset();
  ended_ = true;  // nothing is owed to the peer: no lingering
  finish(0);
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
  if (watched_ != 0) table_.loop_.del(fd_);
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

void TcpConnection::sayLastWords(Refusal refusal) {
  if (status_ != Status::kEstablished) return;
  const bool inBatch = table_.batch_ == this;
  Output& output = inBatch ? table_.corked_ : table_.direct_;
  const std::size_t before = output.size();
  try {
    protocol_->refuse(refusal, output);
  } catch (...) {
    output.truncate(before);
    table_.counters_.exceptions.add();
  }
  if (!inBatch && !output.empty()) flush(output);
}

void TcpConnection::onTimeout() {
  if (status_ == Status::kClosing) {
    table_.counters_.sendFailures.add();
    report(ErrorCode::kSendTimeout, "the peer does not read the last bytes");
    destroy();
    return;
  }
  report(ErrorCode::kIdleTimeout,
         "nothing moved for " + std::to_string(idleTimeoutMs_) + " ms");
  close();
}

void TcpConnection::setIdleTimeout(Clock::duration timeout) {
  using std::chrono::milliseconds;
  const auto count = std::chrono::duration_cast<milliseconds>(timeout).count();
  idleTimeoutMs_ = count <= 0 ? 0 : clampSize(static_cast<std::size_t>(count));
  if (status_ != Status::kEstablished) return;
  if (idleTimeoutMs_ == 0) table_.wheel_.clear(*this);
  refreshTimeout();
}

void TcpConnection::refreshTimeout() {
  if (status_ == Status::kClosing) {
    table_.wheel_.set(*this, kCloseTimeout);
  } else if (idleTimeoutMs_ != 0) {
    table_.wheel_.set(*this, std::chrono::milliseconds(idleTimeoutMs_));
  }
}

void TcpConnection::watch() {
  const bool reads =
      status_ == Status::kEstablished && !paused_ && !resuming_ && !ended_;
  const std::uint8_t wanted =
      static_cast<std::uint8_t>((reads ? 1 : 0) | (queue_ ? 2 : 0));
  if (wanted == watched_) return;
  watched_ = wanted;
  if (wanted == 0) {
    table_.loop_.del(fd_);
  } else {
    table_.loop_.add(fd_, static_cast<Interest>(wanted), *this);
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

void TcpConnection::report(ErrorCode code, std::string_view reason) {
  try {
    table_.handler_.onTrouble(*this, code, reason);
    table_.handler_.onError(*this, code, reason);
  } catch (...) {
    table_.counters_.exceptions.add();
  }
}

void TcpConnection::onCallbackThrew() {
  table_.counters_.exceptions.add();
  report(ErrorCode::kException, exceptionText(std::current_exception()));
  close();
}

// ---- Facts

Endpoint TcpConnection::local() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return Endpoint();
  }
  return Endpoint(address);
}

std::size_t TcpConnection::receiveQueueSize() const {
  return tail_ ? tail_->size() : 0;
}

std::size_t TcpConnection::sendQueueSize() const {
  return queue_ ? queue_->size() : 0;
}

void TcpConnection::setMaxSendBufferSize(std::size_t bytes) {
  maxSendBufferSize_ = clampSize(std::max<std::size_t>(bytes, 8));
}

void TcpConnection::setMaxPackageSize(std::size_t bytes) {
  maxPackageSize_ = clampSize(std::max<std::size_t>(bytes, 1));
}

}  // namespace brigade
