#pragma once

// Channel: one end of the socket pair between the master and one worker
// process, made before the fork. AF_UNIX SOCK_SEQPACKET (unix(7)): framed,
// ordered, private, with backpressure. Never blocks: what the socket does not
// take waits in a bounded queue. Belongs to one loop of one process.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

struct iovec;

namespace brigade {

// What a frame is for. Below kFirstOfProgram: between a Supervisor
// and its child; from there on whoever uses both ends decides.
enum class FrameKind : std::uint16_t {
  kReady = 1,   // child: I serve
  kFailed = 2,  // child: I cannot start, the payload says why
  kDrain = 3,   // master: accept nothing more, finish, exit; the payload is
                // kGracefully and kForReload, each or not
  kStop = 4,    // master: close everything, exit
  kRetire = 5,  // child: replace me, then drain me
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

// Told what arrives. Both may destroy the channel.
class ChannelHandler {
 public:
  virtual void onFrame(const Frame& frame) = 0;
  // The other side is gone, everything it sent has been delivered.
  virtual void onChannelClosed() = 0;

 protected:
  ~ChannelHandler() = default;
};

class Channel final : private Watcher {
 public:
  // Larger ones are refused: they will travel as a sealed memfd.
  static constexpr std::size_t kMaxPayload = 64 * 1024;
  // Bytes that may wait for a peer that does not read.
  static constexpr std::size_t kMaxQueue = 4 * 1024 * 1024;

  enum class Result : std::uint8_t { kSent, kQueued, kFull, kGone };

  // Both ends, non-blocking and close-on-exec. Throws std::system_error.
  static std::pair<FileDescriptor, FileDescriptor> makePair();

  Channel(EventInterface& loop, FileDescriptor fd, ChannelHandler& handler);
  ~Channel();

  // kFull: the frame was not taken, for want of room or of a descriptor to keep
  // its own by. Throws std::length_error over kMaxPayload.
  Result send(const Frame& frame);

  // Delivers what has arrived and closes: for the last words of a dead process.
  // At most kLastWords frames: a grandchild may hold its end, and go on.
  static constexpr int kLastWords = 4096;
  void drain();

  // In a child that inherited the master's end: closes this copy.
  void closeInChild() { fd_.reset(); }

  int fd() const { return fd_.get(); }
  std::size_t queuedBytes() const { return queuedBytes_; }

 private:
  enum class Step : std::uint8_t { kFrame, kEmpty, kGone };
  struct Guard;
  struct Waiting {
    std::string bytes;  // header and payload
    FileDescriptor descriptor;
  };

  void onReady(Ready ready) override;
  void receive();
  Step receiveOne();
  ssize_t transmit(std::span<const iovec> pieces, int descriptor);
  void flush();
  Step gone();

  EventInterface& loop_;
  FileDescriptor fd_;
  ChannelHandler& handler_;
  std::deque<Waiting> queue_;
  std::size_t queuedBytes_ = 0;
  bool* alive_ = nullptr;  // while a handler runs: told when it destroys us
};

}  // namespace brigade
