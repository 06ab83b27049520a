#pragma once

// ConnectionTable: owns the connections of one worker process and what they
// share: loop, codec factory, receive buffer, outputs, time-out wheel and
// counters. A closed connection stays until the end of the turn of the loop,
// so any callback may close any connection. Not installed: programs see it
// through Worker.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "brigade/Connection/ConnectionCounters.h"
#include "brigade/Connection/ConnectionHandler.h"
#include "brigade/Connection/ConnectionId.h"
#include "brigade/Connection/SavedConnection.h"
#include "brigade/Connection/TcpConnection.h"
#include "brigade/Connection/detail/LingeringClose.h"
#include "brigade/Connection/detail/ReceiveTail.h"
#include "brigade/Connection/detail/Transport.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Events/TimingWheel.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolRegistry.h"

namespace brigade {

// What a new connection starts with.
struct ConnectionLimits {
  std::size_t maxSendBufferSize = 1024 * 1024;
  std::size_t maxPackageSize = 10 * 1024 * 1024;
  Clock::duration idleTimeout = Clock::duration::zero();
  // From the first byte of a package to its last; zero: none.
  Clock::duration packageTimeout = Clock::duration::zero();
};

class ConnectionTable {
 public:
  // All outlive the table. `transport` is a test's; null: the kernel's.
  ConnectionTable(EventInterface& loop, ConnectionHandler& handler,
                  ProtocolFactory factory, const ConnectionLimits& limits,
                  ConnectionCounters& counters,
                  detail::Transport* transport = nullptr);
  // Closes what is left without a callback.
  ~ConnectionTable();

  // Takes the socket over and calls onConnect. Throws what the codec's factory
  // throws; the socket is closed then.
  TcpConnection& adopt(FileDescriptor socket, const Endpoint& remote);

  TcpConnection* find(ConnectionId id);
  std::size_t size() const { return open_; }
  // Sockets that are closed for the program and wait for the peer's end.
  std::size_t lingering() const { return lingering_.size(); }

  // Every open connection, in no order; `visit` may close any of them.
  template <typename Visit>
  void forEach(Visit visit) {
    for (std::size_t i = 0; i < places(); ++i) {
      TcpConnection* connection = at(i);
      if (connection != nullptr) visit(*connection);
    }
  }

  // Destroys all connections now: onClose for each, before it returns.
  void destroyAll();

  // ---- Connections that go on in another process: ConnectionTableHandover.cc

  // From now on nothing is received, until release(); what is sent leaves.
  void hold();
  void release();
  // Whether detach() would take it now.
  static bool canDetach(const TcpConnection& connection);
  // Takes it away from the program: nothing finds it, and nothing is called for
  // it, until it is taken back or forgotten. False: it cannot be handed over.
  bool detach(TcpConnection& connection);
  std::size_t detached() const { return detached_; }
  SavedConnection save(ConnectionId id) const;  // of one that is detached
  int socketOf(ConnectionId id) const;
  TcpConnection& takeBack(ConnectionId id);
  // Another process has it: it goes without a callback. `last` is given it
  // before.
  void forget(ConnectionId id, const std::function<void(TcpConnection&)>& last);
  // No connection of this table has had a higher one.
  std::uint32_t lastGeneration() const;
  // In a table that has had no connection: none that it makes by itself gets an
  // id that another table, of that last generation, has given.
  void beginAbove(std::uint32_t generation);
  // Not while a new connection could come before endAdopting(), which makes the
  // places between the ids usable. Throws as adopt() does, or when the id is
  // taken.
  TcpConnection& adopt(FileDescriptor socket, const SavedConnection& saved);
  void endAdopting();

  // Called after closed connections have been freed: there is room again.
  void setOnRoom(std::function<void()> callback) {
    onRoom_ = std::move(callback);
  }

  // Called behind each batch of input from when so many messages have been
  // counted on; it may set another mark.
  void setMessageMark(std::uint64_t messages) { messageMark_ = messages; }
  void setOnMessageMark(std::function<void()> callback) {
    onMessageMark_ = std::move(callback);
  }

  // For ranges over the table: places are 0..places() - 1, and the connection
  // at one may be null.
  std::size_t places() const { return generations_.size(); }
  TcpConnection* at(std::size_t place);

 private:
  friend class TcpConnection;

  // One receive takes at most kReceive; in front of it there is room for a
  // short tail.
  static constexpr std::size_t kReceive = 64 * 1024;
  // Connections are built in place in chunks that never move.
  static constexpr std::size_t kChunk = 64;
  static constexpr std::size_t kSpareTails = 64;

  // While it lives, what `connection` sends is corked.
  class Batch {
   public:
    Batch(ConnectionTable& table, TcpConnection& connection) : table_(table) {
      table_.batch_ = &connection;
    }
    ~Batch() { table_.batch_ = nullptr; }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

   private:
    ConnectionTable& table_;
  };

  struct Place {
    alignas(TcpConnection) std::byte bytes[sizeof(TcpConnection)];
  };

  TcpConnection* detachedAt(ConnectionId id) const;
  void addChunk();
  std::uint32_t takePlace();
  void givePlace(TcpConnection& connection);
  void onClosed(TcpConnection& connection, int sendError);
  void buryClosed();
  struct Closed {
    TcpConnection* connection;
    int sendError;  // errno, or 0
  };
  void bury(const Closed& closed);
  void linger(TcpConnection& connection);
  char* receiveBuffer() { return received_.get(); }
  ssize_t receive(int fd, char* data, std::size_t size) {
    return transport_ != nullptr ? transport_->receive(fd, data, size)
                                 : plain_.receive(fd, data, size);
  }
  ssize_t send(int fd, std::span<const iovec> pieces) {
    return transport_ != nullptr ? transport_->send(fd, pieces)
                                 : plain_.send(fd, pieces);
  }
  detail::Transport& transport() {
    return transport_ != nullptr ? *transport_ : plain_;
  }
  void retire(std::shared_ptr<ProtocolInterface> protocol);
  std::unique_ptr<detail::ReceiveTail> takeTail();
  void giveTail(std::unique_ptr<detail::ReceiveTail> tail);

  // What every message needs, in a few lines.
  ConnectionHandler& handler_;
  ConnectionCounters& counters_;
  detail::PlainTransport plain_;
  detail::Transport* transport_;  // null: plain_, without a virtual call
  std::unique_ptr<char[]> received_;
  std::uint64_t messageMark_ = UINT64_MAX;
  // What the connection whose input is being handled sends leaves together;
  // what is sent to others leaves at once.
  TcpConnection* batch_ = nullptr;
  bool held_ = false;  // nothing is received
  Output corked_;
  Output direct_;

  EventInterface& loop_;
  ProtocolFactory factory_;
  ConnectionLimits limits_;
  TimingWheel wheel_;
  detail::LingeringSockets lingering_;
  std::vector<std::unique_ptr<detail::ReceiveTail>> spareTails_;

  std::vector<std::shared_ptr<ProtocolInterface>> retired_;

  std::vector<std::unique_ptr<Place[]>> chunks_;
  std::vector<std::uint32_t> generations_;  // odd: taken
  std::vector<std::uint32_t> free_;
  std::vector<Closed> closed_;
  std::uint32_t firstGeneration_ = 0;  // of a new place; even
  std::size_t detached_ = 0;
  std::size_t open_ = 0;
  std::function<void()> onRoom_;
  std::function<void()> onMessageMark_;
  bool burying_ = false;
};

}  // namespace brigade
