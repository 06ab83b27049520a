// Connections that leave the table for one of another process, or come from
// there.

#include <algorithm>
#include <cassert>
#include <new>
#include <stdexcept>
#include <utility>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Connection/SavedConnection.h"
#include "brigade/Connection/detail/SendQueue.h"

namespace brigade {

void ConnectionTable::hold() {
  held_ = true;
  forEach([](TcpConnection& connection) { connection.watch(); });
}

void ConnectionTable::release() {
  held_ = false;
  forEach([](TcpConnection& connection) {
    if (connection.status() != TcpConnection::Status::kEstablished) return;
    if (connection.resuming_) return;
    if (connection.paused()) {
      connection.watch();
    } else {
      connection.deliverTailLater();
    }
  });
}

// ---- Out

bool ConnectionTable::canDetach(const TcpConnection& connection) {
  return connection.canHandOver();
}

bool ConnectionTable::detach(TcpConnection& connection) {
  if (!connection.canHandOver()) return false;
  connection.detach();
  --open_;
  ++detached_;
  counters_.open.set(open_);
  return true;
}

TcpConnection* ConnectionTable::detachedAt(ConnectionId id) const {
  if (id.index >= generations_.size() || id.generation % 2 == 0 ||
      generations_[id.index] != id.generation) {
    return nullptr;
  }
  auto* const connection = std::launder(reinterpret_cast<TcpConnection*>(
      chunks_[id.index / kChunk][id.index % kChunk].bytes));
  return connection->status() == TcpConnection::Status::kHandedOver ? connection
                                                                    : nullptr;
}

SavedConnection ConnectionTable::save(ConnectionId id) const {
  return detachedAt(id)->save();
}

int ConnectionTable::socketOf(ConnectionId id) const {
  return detachedAt(id)->socket_.get();
}

TcpConnection& ConnectionTable::takeBack(ConnectionId id) {
  TcpConnection& connection = *detachedAt(id);
  --detached_;
  ++open_;
  counters_.open.set(open_);
  connection.reattach();
  return connection;
}

void ConnectionTable::forget(ConnectionId id,
                             const std::function<void(TcpConnection&)>& last) {
  TcpConnection& connection = *detachedAt(id);
  last(connection);
  --detached_;
  givePlace(connection);
}

std::uint32_t ConnectionTable::lastGeneration() const {
  return generations_.empty()
             ? firstGeneration_
             : *std::max_element(generations_.begin(), generations_.end());
}

// ---- In

void ConnectionTable::beginAbove(std::uint32_t generation) {
  assert(open_ == 0 && closed_.empty());
  firstGeneration_ = generation + generation % 2;
  std::fill(generations_.begin(), generations_.end(), firstGeneration_);
}

TcpConnection& ConnectionTable::adopt(FileDescriptor socket,
                                      const SavedConnection& saved) {
  const ConnectionId id = saved.id;
  while (generations_.size() <= id.index) addChunk();
  if (id.generation % 2 == 0 || generations_[id.index] % 2 != 0) {
    throw std::logic_error("there is a connection of that id");
  }
  std::shared_ptr<ProtocolInterface> protocol = factory_();
  if (!protocol) throw std::logic_error("the protocol's factory made nothing");
  void* place = chunks_[id.index / kChunk][id.index % kChunk].bytes;
  auto* connection = ::new (place) TcpConnection(
      *this, id, std::move(socket), saved.remote, std::move(protocol));
  try {
    connection->restore(saved);
  } catch (...) {
    if (connection->watched_ != 0) loop_.del(connection->socket_.get());
    connection->~TcpConnection();
    throw;
  }
  generations_[id.index] = id.generation;
  ++open_;
  counters_.open.set(open_);
  return *connection;
}

void ConnectionTable::endAdopting() {
  free_.clear();
  for (auto i = static_cast<std::uint32_t>(generations_.size()); i > 0; --i) {
    if (generations_[i - 1] % 2 == 0) free_.push_back(i - 1);
  }
}

}  // namespace brigade
