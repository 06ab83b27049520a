#include "brigade/Connection/TcpConnection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <system_error>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/detail/ReceiveTail.h"
#include "brigade/Connection/detail/SendQueue.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {
namespace {

// Of a file in one turn: others have their turns in between.
constexpr std::size_t kMaxSendFile = 1024 * 1024;

std::uint32_t clampSize(std::size_t bytes) {
  return static_cast<std::uint32_t>(
      std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

TcpConnection::TcpConnection(ConnectionTable& table, ConnectionId id,
                             FileDescriptor socket, const Endpoint& remote,
                             std::shared_ptr<ProtocolInterface> codec)
    : table_(table),
      protocol_(codec.get()),
      socket_(std::move(socket)),
      maxPackageSize_(clampSize(table.limits_.maxPackageSize)),
      maxSendBufferSize_(clampSize(table.limits_.maxSendBufferSize)),
      remote_(remote),
      id_(id),
      codec_(std::move(codec)) {}

TcpConnection::~TcpConnection() = default;

void TcpConnection::begin() {
  watch();
  setIdleTimeout(table_.limits_.idleTimeout);
}

// ---- The way of a message and its answer: short in functions, for the reason
// that detail/Transport.h gives.

void TcpConnection::flush(Output& output) {
  const std::span<const iovec> pieces = output.pieces();
  std::size_t sent = 0;
  if (!queue_ && !output.empty()) {
    const ssize_t result = table_.send(socket_.get(), pieces);
    if (result < 0 && result != -EAGAIN) {
      output.forgetBytes();
      sendFailed(static_cast<int>(-result));
      return;
    }
    sent = result > 0 ? static_cast<std::size_t>(result) : 0;
    bytesWritten_ += sent;
    table_.counters_.bytesWritten.add(sent);
    // Of a batch what was received has done it.
    if (sent > 0 && &output != &table_.corked_) refreshTimeout();
  }
  const bool rest = sent < output.size();
  if (rest) enqueue(pieces, sent);
  output.forgetBytes();
  if (rest && status_ != Status::kClosed) checkFull();
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
    const bool incomplete = !rest.empty() && !paused_;
    if (incomplete || incomplete_) timePackage(incomplete, consumed > 0);
    if (tail_ || !rest.empty()) keep({rest.data(), rest.size()}, expected);
  } else if (status_ == Status::kClosing) {
    endOrWait();
  }
  if (table_.counters_.messages.get() >= table_.messageMark_) {
    table_.onMessageMark_();
  }
}

ssize_t TcpConnection::receiveBehindShortTail() {
  char* buffer = table_.receiveBuffer();
  std::size_t kept = 0;
  if (tail_) {
    kept = tail_->size();
    std::memcpy(buffer, tail_->bytes().data(), kept);
  }
  return table_.receive(socket_.get(), buffer + kept,
                        ConnectionTable::kReceive);
}

void TcpConnection::onReadable() {
  // Wanted behind the system call, and cold when there are many.
  __builtin_prefetch(protocol_);
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

void TcpConnection::onReady(Ready ready) {
  if (ready.write && queue_) onWritable();
  if (!ready.read || status_ != Status::kEstablished) return;
  if (!paused_) [[likely]] {
    onReadable();
  } else {
    onReadableWhilePaused();
  }
}

// ---- Receiving

ssize_t TcpConnection::receiveIntoTail() {
  tail_->reserve();
  const ssize_t received =
      table_.receive(socket_.get(), tail_->spare(), tail_->spareSize());
  if (received > 0) tail_->commit(static_cast<std::size_t>(received));
  return received;
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
  timePackage(false, false);
}

void TcpConnection::resumeRecv() {
  if (!paused_) return;
  paused_ = false;
  if (resuming_ || status_ != Status::kEstablished) return;
  deliverTailLater();
}

// Messages that already wait come first, and not inside the caller.
void TcpConnection::deliverTailLater() {
  resuming_ = true;
  table_.loop_.defer([table = &table_, id = id_] {
    if (TcpConnection* connection = table->find(id)) connection->onResumed();
  });
}

void TcpConnection::onResumed() {
  resuming_ = false;
  // One that is held back begins again when it is not, here or elsewhere.
  if (paused_ || status_ != Status::kEstablished || table_.held_) return;
  peeked_ = false;
  const std::uint64_t written = bytesWritten_;
  if (tail_) handleInput(tail_->writable());
  if (status_ != Status::kEstablished) return;
  watch();
  // A batch of which nothing was received now.
  if (bytesWritten_ != written) refreshTimeout();
}

// ---- Sending

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

SendResult TcpConnection::write(const Message& message,
                                ProtocolInterface* codec) {
  return takesOutput() ? put(message, codec) : drop();
}

SendResult TcpConnection::send(const Message& message) {
  return write(message, protocol_);
}

SendResult TcpConnection::sendRaw(std::string_view bytes) {
  return write(bytes, nullptr);
}

SendResult TcpConnection::sendAlways(const Message& message) {
  return isOutputOpen() ? put(message, protocol_) : drop();
}

SendResult TcpConnection::sendFile(FileDescriptor file, std::uint64_t offset,
                                   std::uint64_t size) {
  if (!takesOutput()) return drop();
  return sendFileAlways(std::make_shared<const FileDescriptor>(std::move(file)),
                        offset, size);
}

SendResult TcpConnection::sendFileAlways(
    std::shared_ptr<const FileDescriptor> file, std::uint64_t offset,
    std::uint64_t size) {
  if (!isOutputOpen()) return drop();
  if (table_.batch_ == this && !table_.corked_.empty()) flush(table_.corked_);
  if (status_ == Status::kClosed) return SendResult::kDropped;
  if (size == 0) return queue_ ? SendResult::kQueued : SendResult::kSent;
  // A queue is never empty, also when memory lacks for what it should hold.
  auto first = queue_ ? nullptr : std::make_unique<detail::SendQueue>();
  (first ? *first : *queue_)
      .append(std::move(file), static_cast<off_t>(offset), size);
  if (first) {
    queue_ = std::move(first);
    onWritable();
  }
  if (status_ == Status::kClosed) return SendResult::kDropped;
  watch();
  if (queue_) becomeFull();
  return queue_ ? SendResult::kQueued : SendResult::kSent;
}

bool TcpConnection::isOutputOpen() const {
  return status_ == Status::kEstablished && !outputEnds_;
}

bool TcpConnection::takesOutput() const {
  return isOutputOpen() && (!queue_ || queue_->size() < mark());
}

SendResult TcpConnection::drop() {
  table_.counters_.sendFailures.add();
  return SendResult::kDropped;
}

// A part may have left already: without the rest nothing can follow it.
void TcpConnection::enqueue(std::span<const iovec> pieces, std::size_t skip) {
  try {
    if (!queue_) queue_ = std::make_unique<detail::SendQueue>();
    queue_->append(pieces, skip);
    watch();
  } catch (const std::system_error& e) {
    sendFailed(e.code().value());
  } catch (const std::bad_alloc&) {
    sendFailed(ENOMEM);
  }
}

void TcpConnection::checkFull() {
  if (queue_->size() >= mark()) becomeFull();
}

void TcpConnection::becomeFull() {
  if (full_) return;
  full_ = true;
  // The source of a pipe looks for itself (relay).
  if (piped_ && extras_->pipeFrom != ConnectionId{}) return;
  guarded(&ConnectionHandler::onBufferFull);
}

std::size_t TcpConnection::mark() const {
  return maxSendBufferSize_ - maxSendBufferSize_ / 8;
}

void TcpConnection::onWritable() {
  const auto part = queue_->frontFile();
  ssize_t result;
  if (part) {
    result =
        table_.transport().sendFile(socket_.get(), part->file, part->offset,
                                    std::min(part->size, kMaxSendFile));
    if (result == 0) result = -ENODATA;
  } else {
    result = table_.send(socket_.get(), queue_->front());
  }
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
    ::shutdown(socket_.get(), SHUT_WR);
  }
}

// Past the mark as well: nothing can follow it.
void TcpConnection::close(const Message& last) {
  if (status_ != Status::kEstablished) return;
  try {
    if (!outputEnds_) put(last, protocol_);
  } catch (...) {
    close();
    throw;
  }
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

// ---- Both

void TcpConnection::watch() {
  const bool reads =
      status_ == Status::kEstablished && !peeked_ && !ended_ && !table_.held_;
  const std::uint8_t wanted =
      static_cast<std::uint8_t>((reads ? 1 : 0) | (queue_ ? 2 : 0));
  if (wanted == watched_) return;
  watched_ = wanted;
  if (wanted == 0) {
    table_.loop_.del(socket_.get());
  } else {
    table_.loop_.add(socket_, static_cast<Interest>(wanted), *this);
  }
}

Endpoint TcpConnection::local() const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                    &length) != 0) {
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

void TcpConnection::setProtocol(std::shared_ptr<ProtocolInterface> codec) {
  protocol_ = codec.get();
  table_.retire(std::exchange(codec_, std::move(codec)));
}

void TcpConnection::setMaxSendBufferSize(std::size_t bytes) {
  maxSendBufferSize_ = clampSize(std::max<std::size_t>(bytes, 8));
}

void TcpConnection::setMaxPackageSize(std::size_t bytes) {
  maxPackageSize_ = clampSize(std::max<std::size_t>(bytes, 1));
}

}  // namespace brigade
