#include "brigade/Process/Channel.h"

#include <fcntl.h>
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

// Room for one descriptor beside a frame.
struct Rights {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

bool isTransient(int error) {
  return error == EAGAIN || error == ENOBUFS || error == EINTR;
}

// A frame that waits keeps its descriptor even if the sender closes its own.
// Nothing when there is none, or none to be had (EMFILE).
FileDescriptor duplicate(int descriptor) {
  if (descriptor < 0) return {};
  return FileDescriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}

FileDescriptor takeRight(msghdr& message) {
  const cmsghdr* const part = CMSG_FIRSTHDR(&message);
  if (part == nullptr || part->cmsg_type != SCM_RIGHTS) return {};
  int descriptor;
  std::memcpy(&descriptor, CMSG_DATA(part), sizeof descriptor);
  return FileDescriptor(descriptor);
}

}  // namespace

// Tells whether the handler, which may also throw, has destroyed the channel.
struct Channel::Guard {
  explicit Guard(Channel& watched) : channel(watched) {
    channel.alive_ = &alive;
  }
  ~Guard() {
    if (alive) channel.alive_ = nullptr;
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  Channel& channel;
  bool alive = true;
};

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

Channel::Result Channel::send(const Frame& frame) {
  const std::string_view payload = frame.payload;
  if (payload.size() > kMaxPayload) {
    throw std::length_error("a frame of " + std::to_string(payload.size()) +
                            " bytes; at most " + std::to_string(kMaxPayload));
  }
  if (!fd_) return Result::kGone;
  Header header{kMagic, static_cast<std::uint16_t>(frame.kind),
                static_cast<std::uint32_t>(payload.size()), frame.correlation};
  if (queue_.empty()) {
    const std::array<iovec, 2> pieces{
        iovec{&header, sizeof header},
        iovec{const_cast<char*>(payload.data()), payload.size()}};
    if (transmit(pieces, frame.descriptor) >= 0) return Result::kSent;
    // Its end is reported by onChannelClosed(), after its last words.
    if (!isTransient(errno)) return Result::kGone;
  }
  const std::size_t size = sizeof header + payload.size();
  if (queuedBytes_ + size > kMaxQueue) return Result::kFull;
  FileDescriptor kept = duplicate(frame.descriptor);
  if (frame.descriptor >= 0 && !kept) return Result::kFull;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += payload;
  queue_.push_back({std::move(bytes), std::move(kept)});
  queuedBytes_ += size;
  loop_.add(fd_.get(), Interest::kReadWrite, *this);
  return Result::kQueued;
}

// Bytes, or -1 and errno, as sendmsg(2).
ssize_t Channel::transmit(std::span<const iovec> pieces, int descriptor) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  Rights rights;
  if (descriptor >= 0) {
    message.msg_control = rights.bytes;
    message.msg_controllen = sizeof rights.bytes;
    cmsghdr* const part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
}

void Channel::onReady(Ready ready) {
  if (ready.write) flush();
  if (ready.read) receive();
}

void Channel::flush() {
  while (!queue_.empty()) {
    Waiting& next = queue_.front();
    const iovec piece{next.bytes.data(), next.bytes.size()};
    if (transmit({&piece, 1}, next.descriptor.get()) < 0) {
      if (isTransient(errno)) return;
      break;  // the reading side reports it
    }
    queuedBytes_ -= next.bytes.size();
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
  for (int i = 0; i < kLastWords && fd_; ++i) {
    const Step step = receiveOne();
    if (step == Step::kGone) return;  // perhaps destroyed by the handler
    if (step == Step::kEmpty) break;
  }
  if (!fd_) return;
  loop_.del(fd_.get());
  fd_.reset();
}

Channel::Step Channel::receiveOne() {
  std::array<char, sizeof(Header) + kMaxPayload> bytes;
  iovec piece{bytes.data(), bytes.size()};
  Rights rights;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = rights.bytes;
  message.msg_controllen = sizeof rights.bytes;
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  const FileDescriptor descriptor =
      n < 0 ? FileDescriptor() : takeRight(message);
  if (n < 0 && errno == EINTR) return Step::kFrame;
  if (n < 0 && errno == EAGAIN) return Step::kEmpty;
  Header header;
  if (n < static_cast<ssize_t>(sizeof header)) return gone();
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto size = static_cast<std::size_t>(n) - sizeof header;
  // Whatever does not follow the rules is not our other end any more.
  if (header.magic != kMagic || header.size != size) return gone();
  const Guard guard(*this);
  handler_.onFrame({static_cast<FrameKind>(header.kind),
                    {bytes.data() + sizeof header, size},
                    header.correlation,
                    descriptor.get()});
  return guard.alive ? Step::kFrame : Step::kGone;
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
