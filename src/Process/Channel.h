#pragma once

// Channel: one end of the socket pair between the master and one worker
// process, made before the fork. AF_UNIX SOCK_SEQPACKET (unix(7)): framed,
// ordered, private, with backpressure. Never blocks: what the socket does not
// take waits in a queue. Belongs to one loop of one process.
//
// A datagram carries one frame or several: what waits leaves together, since
// the kernel charges a small datagram as much as one of 700 bytes.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

struct iovec;

namespace brigade {

class Archive;

// What a frame is for. Below kFirstOfProgram: between a Supervisor
// and its child; from there on whoever uses both ends decides.
enum class FrameKind : std::uint16_t {
  kReady = 1,   // child: I serve
  kFailed = 2,  // child: I cannot start, the payload says why
  kDrain = 3,   // master: accept nothing more, finish, exit; the payload is
                // kGracefully and kForReload, each or not
  kStop = 4,    // master: close everything, exit
  kRetire = 5,  // child: replace me, then drain me
  // Connections pass from a child to the one that follows it: Supervisor.h.
  kHandOver = 6,  // master: get ready for it; brings a channel to the successor
  kQuiet = 7,     // child: I am
  kTakeOver = 8,  // master, to the successor: serve; the channel, if there is
                  // one, has connections for you
  kAdopted = 9,   // child: I have them; master, to the one before: it has them
  kMail = 17,     // both: detail/Envelope.h
  kFirstOfProgram = 64,
};

inline constexpr char kGracefully[] = "g";
inline constexpr char kForReload[] = "r";

struct Frame {
  FrameKind kind;
  std::string_view payload = {};  // received: valid until the callback returns
  std::uint64_t correlation = 0;  // an answer carries its question's
  // Travels along (SCM_RIGHTS, unix(7)) as a copy. A received one is closed
  // when the callback returns: dup(2) it to keep it.
  int descriptor = -1;
};

// Told what arrives. The first two may destroy the channel.
class ChannelHandler {
 public:
  virtual void onFrame(const Frame& frame) = 0;
  // The other side is gone, everything it sent has been delivered.
  virtual void onChannelClosed() = 0;
  // Frames that waited have been taken by the socket: see left(). This one may
  // not destroy the channel.
  virtual void onChannelProgress() {}

 protected:
  ~ChannelHandler() = default;
};

class Channel final : private Watcher {
 public:
  // Larger ones are refused: they travel as SealedMemory.
  static constexpr std::size_t kMaxPayload = 64 * 1024;
  // Bytes that may wait for a peer that does not read.
  static constexpr std::size_t kMaxQueue = 4 * 1024 * 1024;
  // Bytes that the socket is asked to take; net.core.wmem_max bounds it for
  // all but root (socket(7)).
  static constexpr int kSocketBuffer = 1024 * 1024;

  enum class Result : std::uint8_t { kSent, kQueued, kFull, kGone };

  // Both ends, non-blocking and close-on-exec. Throws std::system_error.
  static std::pair<FileDescriptor, FileDescriptor> makePair();

  Channel(EventInterface& loop, FileDescriptor fd, ChannelHandler& handler);
  ~Channel();

  // kFull: the frame was not taken, for want of room or of a descriptor to keep
  // its own by. Throws std::length_error over kMaxPayload.
  Result send(const Frame& frame);
  // Behind what waits, without asking the socket: flush() does, and so does the
  // loop when there is room. Never kFull for its size: for whoever bounds by
  // other means what waits.
  Result post(const Frame& frame);
  void flush();

  // Frames taken from callers so far, and those of them that the socket has
  // taken: the difference waits.
  std::uint64_t taken() const { return taken_; }
  std::uint64_t left() const { return left_; }

  // Holds the process, at most that long, until a frame has come of which
  // `isIt` says that it is the one: it takes from it what it wants. What else
  // comes meanwhile is handed on from the loop, in its order, and the frame
  // itself may be. False: none came in time, or the other side is gone, of
  // which the handler is told from the loop.
  bool await(std::chrono::milliseconds patience,
             const std::function<bool(const Frame&)>& isIt);

  // Delivers what has arrived and closes: for the last words of a dead process.
  // At most kLastWords datagrams: a grandchild may hold its end, and go on.
  static constexpr int kLastWords = 4096;
  void drain();

  // Gives what waits that long to leave: for the end of a process.
  void finish(std::chrono::milliseconds patience);

  // In a child that inherited the master's end: closes this copy, and those of
  // descriptors that wait to be sent.
  void closeInChild();

  // Over execve(2): what waits, and what has been counted. The descriptor is
  // its owner's to carry.
  void carry(Archive& archive);

  int fd() const { return fd_.get(); }
  std::size_t queuedBytes() const { return queuedBytes_; }

 private:
  enum class Step : std::uint8_t { kDatagram, kEmpty, kGone };
  struct Guard;
  struct Waiting {
    std::string bytes;  // headers and payloads
    FileDescriptor descriptor;
    unsigned frames;

    void carry(Archive& archive);
  };

  // One datagram, and the descriptor that came with its first frame.
  struct Received;
  // One that has come while a frame was awaited.
  struct Late {
    std::string bytes;
    FileDescriptor descriptor;
  };

  void onReady(Ready ready) override;
  void receive();
  Step receiveOne();
  Step read(Received& received);
  static std::optional<Frame> takeFrame(std::string_view& datagram);
  bool handLate();
  Step deliver(std::string_view datagram, int descriptor);
  bool hand(const Frame& frame);
  ssize_t transmit(std::span<const iovec> pieces, int descriptor);
  Result enqueue(const Frame& frame);
  void watchFor(Interest interest);
  Step gone();

  EventInterface& loop_;
  FileDescriptor fd_;
  ChannelHandler& handler_;
  std::deque<Waiting> queue_;
  std::size_t queuedBytes_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t left_ = 0;
  std::deque<Late> late_;
  TimerId lateTimer_{};
  Interest interest_ = Interest::kRead;
  bool* alive_ = nullptr;  // while a handler runs: told when it destroys us
};

}  // namespace brigade
