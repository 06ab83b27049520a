#pragma once

// ConnectionHandler: what a program is told of its connections. Every function
// runs in the worker process, in its loop, and may close any connection,
// itself included. An exception that leaves one ends that connection only.
// Order for one connection: onConnect, then any of the others, then onClose
// exactly once.

#include <cstdint>
#include <exception>
#include <string_view>

#include "brigade/Protocol/Message.h"

namespace brigade {

class TcpConnection;

enum class ErrorCode : std::uint8_t {
  kProtocol,        // the peer sent what its protocol does not allow
  kPackageTooLong,  // a package over maxPackageSize
  kIdleTimeout,     // nothing moved for the idle time-out
  kPackageTimeout,  // a package was begun and not finished in time
  kSendFailed,      // the peer is gone while bytes waited for it
  kSendTimeout,     // closing, and the peer reads nothing
  kException,       // a callback threw
};
std::string_view toString(ErrorCode code);

class ConnectionHandler {
 public:
  virtual void onConnect(TcpConnection&) {}
  // `message` is valid until the callback returns.
  virtual void onMessage(TcpConnection&, const Message&) {}
  // The connection is closed; nothing can be sent. Its addresses, counters and
  // context are still there until the callback returns.
  virtual void onClose(TcpConnection&) {}
  // Comes before onClose. `reason` is for people.
  virtual void onError(TcpConnection&, ErrorCode, std::string_view) {}
  // The bytes waiting for the peer have passed the mark (TcpConnection.h):
  // until they are fewer, send() answers kDropped. Runs inside that send().
  virtual void onBufferFull(TcpConnection&) {}
  // After onBufferFull: nothing waits any more.
  virtual void onBufferDrain(TcpConnection&) {}
  // Nothing moved for the idle time-out. True: the connection stays, and the
  // time begins anew; by itself it is closed.
  virtual bool onIdle(TcpConnection&) { return false; }
  // The peer has shut its writing side: nothing more will be received. By
  // itself the connection closes once all is sent; a program that answers
  // later returns without calling close() here and closes then.
  virtual void onEnd(TcpConnection& connection);
  // While it is paused, with nothing received that waits: the peer has shut its
  // writing side. onEnd follows when it is resumed. The one sign of a peer that
  // leaves while it waits for an answer; some that give it still read.
  virtual void onEndAhead(TcpConnection&) {}

 protected:
  ~ConnectionHandler() = default;

  friend class TcpConnection;
  friend class ConnectionTable;
  // Before onError, whether or not a program overrides that: for the log.
  virtual void onTrouble(TcpConnection&, ErrorCode, std::string_view) {}
  // Last of all, what a callback threw; it does not throw itself.
  virtual void onThrown(TcpConnection&, const std::exception_ptr&) {}
};

}  // namespace brigade
