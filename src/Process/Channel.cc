#include "brigade/Process/Channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace brigade {
namespace {

// In front of every payload, so an empty one is not taken for the end.
struct Header {
  std::uint16_t magic;
  std::uint16_t kind;
  std::uint32_t size;
  std::uint64_t correlation;
};
static_assert(sizeof(Header) == 16);

constexpr std::uint16_t kMagic = 0xB4D1;  // version 1
// Frames handled in one turn: others get their turn in between.
constexpr int kBatch = 64;

}  // namespace

std::pair<FileDescriptor, FileDescriptor> Channel::makePair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a channel");
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

Channel::Channel(EventInterface& loop, FileDescriptor fd,
                 ChannelHandler& handler)
    : loop_(loop), fd_(std::move(fd)), handler_(handler) {
  loop_.add(fd_.get(), Interest::kRead, *this);
}

Channel::~Channel() {
  if (alive_ != nullptr) *alive_ = false;
  if (fd_) loop_.del(fd_.get());
}

Channel::Result Channel::send(FrameKind kind, std::string_view payload,
                              std::uint64_t correlation) {
  if (payload.size() > kMaxPayload) {
    throw std::length_error("a frame of " + std::to_string(payload.size()) +
                            " bytes; at most " + std::to_string(kMaxPayload));
  }
  if (!fd_) return Result::kGone;
  Header header{kMagic, static_cast<std::uint16_t>(kind),
                static_cast<std::uint32_t>(payload.size()), correlation};
  if (queue_.empty()) {
    std::array<iovec, 2> pieces{
        iovec{&header, sizeof header},
        iovec{const_cast<char*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) >= 0) {
      return Result::kSent;
    }
    // Its end is reported by onChannelClosed(), after its last words.
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
      return Result::kGone;
    }
  }
  const std::size_t size = sizeof header + payload.size();
  if (queuedBytes_ + size > kMaxQueue) return Result::kFull;
  std::string frame(reinterpret_cast<const char*>(&header), sizeof header);
  frame += payload;
  queue_.push_back(std::move(frame));
  queuedBytes_ += size;
  loop_.add(fd_.get(), Interest::kReadWrite, *this);
  return Result::kQueued;
}

void Channel::onReady(Ready ready) {
  if (ready.write) flush();
  if (ready.read) receive();
}

void Channel::flush() {
  while (!queue_.empty()) {
    const std::string& frame = queue_.front();
    const ssize_t n =
        ::send(fd_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) return;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // the reading side reports it
    queuedBytes_ -= frame.size();
    queue_.pop_front();
  }
  queue_.clear();
  queuedBytes_ = 0;
  loop_.add(fd_.get(), Interest::kRead, *this);
}

void Channel::receive() {
  for (int i = 0; i < kBatch; ++i) {
    if (receiveOne() != Step::kFrame) return;
  }
}

void Channel::drain() {
  while (fd_ && receiveOne() == Step::kFrame) {
  }
}

Channel::Step Channel::receiveOne() {
  std::array<char, sizeof(Header) + kMaxPayload> bytes;
  const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (n < 0 && errno == EINTR) return Step::kFrame;
  if (n < 0 && errno == EAGAIN) return Step::kEmpty;
  Header header;
  if (n < static_cast<ssize_t>(sizeof header)) return gone();
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto size = static_cast<std::size_t>(n) - sizeof header;
  // Whatever does not follow the rules is not our other end any more.
  if (header.magic != kMagic || header.size != size) return gone();
  bool alive = true;
  alive_ = &alive;
  handler_.onFrame({static_cast<FrameKind>(header.kind),
                    header.correlation,
                    {bytes.data() + sizeof header, size}});
  if (!alive) return Step::kGone;
  alive_ = nullptr;
  return Step::kFrame;
}

Channel::Step Channel::gone() {
  loop_.del(fd_.get());
  fd_.reset();
  queue_.clear();
  queuedBytes_ = 0;
  handler_.onChannelClosed();
  return Step::kGone;
}

}  // namespace brigade
