#include "brigade/Connection/ConnectionTable.h"

#include <new>
#include <system_error>
#include <utility>

#include "brigade/Connection/detail/SendQueue.h"

namespace brigade {

ConnectionTable::ConnectionTable(EventInterface& loop,
                                 ConnectionHandler& handler,
                                 ProtocolFactory factory,
                                 const ConnectionLimits& limits,
                                 ConnectionCounters& counters,
                                 detail::Transport* transport)
    : handler_(handler),
      counters_(counters),
      transport_(transport),
      received_(std::make_unique_for_overwrite<char[]>(
          detail::ReceiveTail::kShort + kReceive)),
      loop_(loop),
      factory_(std::move(factory)),
      limits_(limits),
      wheel_(loop),
      lingering_(loop, wheel_) {}

ConnectionTable::~ConnectionTable() {
  for (std::uint32_t i = 0; i < generations_.size(); ++i) {
    if (TcpConnection* connection = at(i)) {
      connection->finish(0);
    } else if (TcpConnection* away = detachedAt({i, generations_[i]})) {
      away->~TcpConnection();
    }
  }
  for (const Closed& closed : closed_) closed.connection->~TcpConnection();
}

TcpConnection& ConnectionTable::adopt(FileDescriptor socket,
                                      const Endpoint& remote) {
  std::shared_ptr<ProtocolInterface> protocol = factory_();
  if (!protocol) throw std::logic_error("the protocol's factory made nothing");
  const std::uint32_t index = takePlace();
  const ConnectionId id{index, generations_[index]};
  void* place = chunks_[index / kChunk][index % kChunk].bytes;
  auto* connection = ::new (place)
      TcpConnection(*this, id, std::move(socket), remote, std::move(protocol));
  try {
    connection->begin();
  } catch (...) {
    if (connection->watched_ != 0) loop_.del(connection->socket_.get());
    givePlace(*connection);
    throw;
  }
  ++open_;
  counters_.accepted.add();
  counters_.open.set(open_);
  connection->guarded(&ConnectionHandler::onConnect);
  return *connection;
}

void ConnectionTable::addChunk() {
  chunks_.push_back(std::make_unique_for_overwrite<Place[]>(kChunk));
  generations_.resize(generations_.size() + kChunk, firstGeneration_);
}

std::uint32_t ConnectionTable::takePlace() {
  if (free_.empty()) {
    const auto first = static_cast<std::uint32_t>(generations_.size());
    addChunk();
    for (std::uint32_t i = kChunk; i > 0; --i) free_.push_back(first + i - 1);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  ++generations_[index];
  return index;
}

TcpConnection* ConnectionTable::at(std::size_t index) {
  if (generations_[index] % 2 == 0) return nullptr;
  auto* connection = std::launder(reinterpret_cast<TcpConnection*>(
      chunks_[index / kChunk][index % kChunk].bytes));
  return connection->status() < TcpConnection::Status::kClosed ? connection
                                                               : nullptr;
}

TcpConnection* ConnectionTable::find(ConnectionId id) {
  if (id.index >= generations_.size() ||
      generations_[id.index] != id.generation) {
    return nullptr;
  }
  return at(id.index);
}

void ConnectionTable::onClosed(TcpConnection& connection, int sendError) {
  --open_;
  counters_.open.set(open_);
  if (closed_.empty() && !burying_) {
    loop_.defer([this] { buryClosed(); });
  }
  closed_.push_back({&connection, sendError});
}

void ConnectionTable::buryClosed() {
  if (burying_) return;
  burying_ = true;
  // onClose may close others: the list grows while it is walked.
  for (std::size_t i = 0; i < closed_.size(); ++i) bury(Closed(closed_[i]));
  closed_.clear();
  burying_ = false;
  if (onRoom_) onRoom_();
}

void ConnectionTable::bury(const Closed& closed) {
  TcpConnection& connection = *closed.connection;
  if (closed.sendError != 0) {
    connection.report(ErrorCode::kSendFailed,
                      std::generic_category().message(closed.sendError));
  }
  connection.closePipe();
  connection.guarded(&ConnectionHandler::onClose);
  if (connection.linger_) linger(connection);
  givePlace(connection);
}

// Without memory or a place in the loop's table the peer may see a reset.
void ConnectionTable::linger(TcpConnection& connection) {
  try {
    lingering_.add(std::move(connection.socket_));
  } catch (const std::exception& e) {
    connection.report(ErrorCode::kSendFailed, e.what());
  }
}

void ConnectionTable::givePlace(TcpConnection& connection) {
  const std::uint32_t index = connection.id().index;
  connection.~TcpConnection();
  ++generations_[index];
  free_.push_back(index);
}

// A codec may be replaced from inside a message that points into it.
void ConnectionTable::retire(std::shared_ptr<ProtocolInterface> protocol) {
  if (retired_.empty()) {
    loop_.defer([this] { retired_.clear(); });
  }
  retired_.push_back(std::move(protocol));
}

void ConnectionTable::destroyAll() {
  forEach([](TcpConnection& connection) { connection.destroy(); });
  buryClosed();
}

std::unique_ptr<detail::ReceiveTail> ConnectionTable::takeTail() {
  if (spareTails_.empty()) return std::make_unique<detail::ReceiveTail>();
  std::unique_ptr<detail::ReceiveTail> tail = std::move(spareTails_.back());
  spareTails_.pop_back();
  return tail;
}

void ConnectionTable::giveTail(std::unique_ptr<detail::ReceiveTail> tail) {
  if (tail->capacity() <= detail::ReceiveTail::kShort &&
      spareTails_.size() < kSpareTails) {
    tail->assign({});
    spareTails_.push_back(std::move(tail));
  }
}

}  // namespace brigade
