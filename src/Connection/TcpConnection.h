#pragma once

// TcpConnection: one accepted stream (TCP or a Unix stream socket) and its
// codec. Owned by the worker's ConnectionTable; a reference is good inside a
// callback, a ConnectionId for longer. Every function belongs to the loop's
// thread and may be called from any callback.
//
//   kEstablished --close()--> kClosing --all sent--> kClosed --> onClose, freed
//        |                       | destroy(), peer gone, time-out   at the end
//        +---- destroy(), -------+----------------->                of the turn
//              peer gone
//
// With Worker::handover one that is kEstablished may become kHandedOver: it
// goes on in another process, and nothing more is called for it in this one.
//
// Backpressure: what the socket does not take is queued. When the queue passes
// seven eighths of maxSendBufferSize, onBufferFull is called; while it is past
// that mark, send() answers kDropped. A message is taken whole or not at all:
// the one that crosses the mark is kept, so the last eighth is its room and a
// message of any size can be sent to a peer that reads.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "brigade/Connection/ConnectionExtras.h"
#include "brigade/Connection/ConnectionHandler.h"
#include "brigade/Connection/ConnectionId.h"
#include "brigade/Connection/Endpoint.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Events/TimingWheel.h"
#include "brigade/Protocol/Message.h"

struct iovec;

namespace brigade {

class ConnectionTable;
class Output;
class ProtocolInterface;
struct SavedConnection;
struct Packet;
enum class Refusal : std::uint8_t;
namespace detail {
class ReceiveTail;
class SendQueue;
}  // namespace detail

enum class SendResult : std::uint8_t {
  kSent,     // with the kernel, or leaves with the answers to this batch
  kQueued,   // waits for the peer to read
  kDropped,  // not taken: the queue is full or the connection closing
};

class TcpConnection final : private TimingWheel::Entry, private Watcher {
 public:
  enum class Status : std::uint8_t {
    kEstablished,
    kClosing,
    kClosed,
    kHandedOver,
  };

  // Through the codec. May throw what the codec's encode() throws.
  SendResult send(const Message& message);
  // As it is.
  SendResult sendRaw(std::string_view bytes);

  // Taken even past the mark, for what must not be lost: the end of an answer,
  // a protocol's own control messages. The caller bounds it.
  SendResult sendAlways(const Message& message);

  // `size` bytes of the file from `offset` on, behind what was sent before,
  // without a copy in memory (sendfile(2)). A file that has become shorter
  // meanwhile ends the connection (kSendFailed). While one waits the buffer
  // counts as full (onBufferFull, onBufferDrain), so that nobody keeps many
  // files open; send() and sendFile() still take more.
  SendResult sendFile(FileDescriptor file, std::uint64_t offset,
                      std::uint64_t size);
  // Taken even past the mark, as by sendAlways(): what was begun needs its
  // parts. Of a file that is sent in several parts there is one descriptor.
  SendResult sendFileAlways(std::shared_ptr<const FileDescriptor> file,
                            std::uint64_t offset, std::uint64_t size);

  // Receives nothing more, sends what is queued, then closes; within 30 s
  // without progress the peer is given up (kSendTimeout).
  void close();
  void close(const Message& last);
  // Drops what is queued and closes.
  void destroy();
  // Drops what stands behind `position` and has not left yet, and closes. A
  // position is where the next byte that is sent will stand.
  void closeBehind(std::uint64_t position);
  std::uint64_t outputPosition() const;

  // From the next message on; messages received already wait. Counted once:
  // one resumeRecv() ends any number of pauseRecv(). A peer that leaves is
  // noticed all the same, unless something received waits: a reset closes the
  // connection, an end is told by onEndAhead.
  void pauseRecv();
  void resumeRecv();
  bool paused() const { return paused_; }

  // From now on every message goes to `to` (through its codec) instead of
  // onMessage; while the queue of `to` is full this connection pauses. When
  // this one closes, `to` is closed after the last message, and vice versa.
  // For both directions: a.pipe(b); b.pipe(a); A connection is the target of
  // one pipe at most: throws std::logic_error.
  void pipe(TcpConnection& to);

  ConnectionId id() const { return id_; }
  Status status() const { return status_; }
  const Endpoint& remote() const { return remote_; }
  std::string remoteAddress() const { return remote_.toString(); }
  std::string remoteIp() const { return remote_.ip(); }
  std::uint16_t remotePort() const { return remote_.port(); }
  // Asks the kernel (getsockname(2)).
  Endpoint local() const;
  std::string localAddress() const { return local().toString(); }
  std::string localIp() const { return local().ip(); }
  std::uint16_t localPort() const { return local().port(); }

  std::uint64_t bytesRead() const { return bytesRead_; }
  std::uint64_t bytesWritten() const { return bytesWritten_; }
  std::size_t receiveQueueSize() const;
  std::size_t sendQueueSize() const;
  bool bufferFull() const { return full_; }

  // In bytes; from the Worker's settings until set. At most 4 GiB - 1.
  std::size_t maxSendBufferSize() const { return maxSendBufferSize_; }
  void setMaxSendBufferSize(std::size_t bytes);
  std::size_t maxPackageSize() const { return maxPackageSize_; }
  void setMaxPackageSize(std::size_t bytes);

  // Closed when no byte moved either way for so long (kIdleTimeout), unless
  // onIdle says otherwise; zero: never. Coarse: up to half a second late.
  void setIdleTimeout(Clock::duration timeout);

  // The program's own state, made on first use and destroyed after onClose.
  // Throws std::bad_cast when the connection has a context of another type.
  template <typename T>
  T& context() {
    if (!hasContext()) {
      extras_ = std::make_unique<detail::ConnectionContext<T>>(
          extras_ ? *extras_ : Extras());
    }
    if (extras_->type() != typeid(T)) throw std::bad_cast();
    return static_cast<detail::ConnectionContext<T>&>(*extras_).value;
  }

  ProtocolInterface& protocol() { return *protocol_; }
  // Whether ConnectionLimits::packageTimeout holds for it (true).
  void setPackageTimed(bool timed);
  // Another codec from the next packet on (HTTP's Upgrade). The one before
  // lives until the end of the turn.
  void setProtocol(std::shared_ptr<ProtocolInterface> codec);

 private:
  friend class ConnectionTable;

  using Extras = detail::ConnectionExtras;
  bool hasContext() const { return extras_ && extras_->type() != typeid(void); }

  TcpConnection(ConnectionTable& table, ConnectionId id, FileDescriptor socket,
                const Endpoint& remote,
                std::shared_ptr<ProtocolInterface> codec);
  ~TcpConnection();
  // Apart from the constructor: it may throw, and then there is a connection
  // to destroy.
  void begin();

  // To another process.
  bool canHandOver() const;
  SavedConnection save() const;
  void restore(const SavedConnection& saved);
  void detach();
  void reattach();
  void deliverTailLater();

  // Receiving.
  void onReady(Ready ready) override;
  inline void onReadable();
  [[gnu::cold]] void onReadableWhilePaused();
  inline ssize_t receiveBehindShortTail();
  [[gnu::cold]] ssize_t receiveIntoTail();
  [[gnu::cold]] void onReceiveFailed(ssize_t result);
  inline void handleInput(std::span<char> bytes);
  std::size_t deliver(std::span<char> bytes, std::size_t& expected);
  inline void handlePacket(std::span<char> packet);
  [[gnu::cold]] void checkIncomplete(const Packet& packet, std::size_t present);
  void keep(std::string_view rest, std::size_t expected);
  bool isPackageTimed() const;
  void timePackage(bool incomplete, bool isNew);
  void onResumed();
  void onEndOfInput();
  [[gnu::cold]] void relay(const Message& message);
  bool relayEnd();

  // Sending.
  inline SendResult write(const Message& message, ProtocolInterface* codec);
  inline SendResult put(const Message& message, ProtocolInterface* codec);
  inline void flush(Output& output);
  [[gnu::cold]] void enqueue(std::span<const iovec> pieces, std::size_t skip);
  [[gnu::cold]] void checkFull();
  void becomeFull();
  std::size_t mark() const;
  bool isOutputOpen() const;
  bool takesOutput() const;
  [[gnu::cold]] SendResult drop();
  void onWritable();
  void onDrained();
  void endOutput();

  // Ending.
  void onTimeout() override;
  void refreshTimeout() {
    if (idleTimeoutMs_ != 0 || status_ == Status::kClosing) setTimeout();
  }
  void setTimeout();
  void watch();
  bool staysWhenIdle();
  void sayLastWords(Refusal refusal);
  [[gnu::cold]] void endOrWait();
  void refuseInput(ErrorCode code, Refusal refusal, std::string_view reason);
  [[gnu::cold]] void sendFailed(int error);
  void finish(int sendError);
  void closePipe();
  void guarded(void (ConnectionHandler::*callback)(TcpConnection&));
  void report(ErrorCode code, std::string_view reason);
  void onCallbackThrew();

  // What every message needs comes first, right behind Watcher: with hundreds
  // of connections each line of it is fetched anew.
  ConnectionTable& table_;
  ProtocolInterface* protocol_;  // codec_, without a way to a colder line
  std::unique_ptr<detail::ReceiveTail> tail_;
  std::unique_ptr<detail::SendQueue> queue_;
  std::uint64_t bytesRead_ = 0;
  std::uint64_t bytesWritten_ = 0;
  FileDescriptor socket_;
  std::uint32_t maxPackageSize_;
  Status status_ = Status::kEstablished;
  std::uint8_t watched_ = 0;  // the Interest the loop knows; 0: none
  bool piped_ : 1 = false;    // one end of a pipe at least
  bool paused_ : 1 = false;
  bool resuming_ : 1 = false;    // onResumed() is on its way
  bool peeked_ : 1 = false;      // while paused: what comes next is known
  bool full_ : 1 = false;        // from onBufferFull to onBufferDrain
  bool ended_ : 1 = false;       // the peer shut its writing side
  bool outputEnds_ : 1 = false;  // shut ours when all is sent
  bool linger_ : 1 = false;      // the peer may still be sending
  bool packageTimed_ : 1 = true;
  bool incomplete_ : 1 = false;  // a package is, and its time-out runs
  std::uint32_t idleTimeoutMs_ = 0;

  std::uint32_t maxSendBufferSize_;
  Endpoint remote_;
  ConnectionId id_;
  std::unique_ptr<Extras> extras_;
  std::shared_ptr<ProtocolInterface> codec_;
};

}  // namespace brigade
