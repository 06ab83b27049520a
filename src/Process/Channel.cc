#include "brigade/Process/Channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "brigade/Events/Archive.h"

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
constexpr std::size_t kMaxDatagram = sizeof(Header) + Channel::kMaxPayload;
// Datagrams handled in one turn: others get their turn in between.
constexpr int kBatch = 64;

Header headerOf(const Frame& frame) {
  return {kMagic, static_cast<std::uint16_t>(frame.kind),
          static_cast<std::uint32_t>(frame.payload.size()), frame.correlation};
}

std::string_view bytesOf(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

// Room for one descriptor beside a frame.
struct Rights {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

// ETOOMANYREFS: so many descriptors of this user are on their way (unix(7)).
bool isTransient(int error) {
  return error == EAGAIN || error == ENOBUFS || error == EINTR ||
         error == ETOOMANYREFS;
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

struct Channel::Received {
  std::string_view view() const { return {bytes.data(), size}; }

  std::array<char, kMaxDatagram> bytes;
  std::size_t size = 0;
  FileDescriptor descriptor = {};
};

std::pair<FileDescriptor, FileDescriptor> Channel::makePair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a channel");
  }
  for (const int end : ends) {
    if (::setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBuffer,
                     sizeof kSocketBuffer) != 0) {
      ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer,
                   sizeof kSocketBuffer);
    }
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

Channel::Channel(EventInterface& loop, FileDescriptor fd,
                 ChannelHandler& handler)
    : loop_(loop), fd_(std::move(fd)), handler_(handler) {
  // Over execve(2) one may come whose other end has gone.
  if (fd_) loop_.add(fd_.get(), Interest::kRead, *this);
}

Channel::~Channel() {
  if (alive_ != nullptr) *alive_ = false;
  loop_.del(lateTimer_);
  if (fd_) loop_.del(fd_.get());
}

Channel::Result Channel::send(const Frame& frame) {
  const std::string_view payload = frame.payload;
  if (payload.size() > kMaxPayload) {
    throw std::length_error("a frame of " + std::to_string(payload.size()) +
                            " bytes; at most " + std::to_string(kMaxPayload));
  }
  if (!fd_) return Result::kGone;
  if (queue_.empty()) {
    Header header = headerOf(frame);
    const std::array<iovec, 2> pieces{
        iovec{&header, sizeof header},
        iovec{const_cast<char*>(payload.data()), payload.size()}};
    if (transmit(pieces, frame.descriptor) >= 0) {
      ++taken_;
      ++left_;
      return Result::kSent;
    }
    // Its end is reported by onChannelClosed(), after its last words.
    if (!isTransient(errno)) return Result::kGone;
  }
  if (queuedBytes_ + sizeof(Header) + payload.size() > kMaxQueue) {
    return Result::kFull;
  }
  const Result result = enqueue(frame);
  if (result == Result::kQueued) watchFor(Interest::kReadWrite);
  return result;
}

Channel::Result Channel::post(const Frame& frame) {
  assert(frame.payload.size() <= kMaxPayload);
  return fd_ ? enqueue(frame) : Result::kGone;
}

Channel::Result Channel::enqueue(const Frame& frame) {
  const Header header = headerOf(frame);
  const std::size_t size = sizeof header + frame.payload.size();
  FileDescriptor kept = duplicate(frame.descriptor);
  if (frame.descriptor >= 0 && !kept) return Result::kFull;
  if (kept || queue_.empty() || queue_.back().descriptor ||
      queue_.back().bytes.size() + size > kMaxDatagram) {
    queue_.push_back({{}, std::move(kept), 0});
  }
  Waiting& last = queue_.back();
  last.bytes += bytesOf(header);
  last.bytes += frame.payload;
  ++last.frames;
  queuedBytes_ += size;
  ++taken_;
  return Result::kQueued;
}

void Channel::watchFor(Interest interest) {
  if (interest_ == interest) return;
  interest_ = interest;
  loop_.add(fd_.get(), interest, *this);
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
  if (!fd_) return;
  const std::uint64_t before = left_;
  while (!queue_.empty()) {
    Waiting& next = queue_.front();
    const iovec piece{next.bytes.data(), next.bytes.size()};
    if (transmit({&piece, 1}, next.descriptor.get()) < 0) {
      if (isTransient(errno)) break;
      // The reading side reports it.
      queue_.clear();
      queuedBytes_ = 0;
      break;
    }
    queuedBytes_ -= next.bytes.size();
    left_ += next.frames;
    queue_.pop_front();
  }
  watchFor(queue_.empty() ? Interest::kRead : Interest::kReadWrite);
  if (left_ != before) handler_.onChannelProgress();
}

void Channel::receive() {
  for (int i = 0; i < kBatch; ++i) {
    if (!handLate() || receiveOne() != Step::kDatagram) return;
  }
}

void Channel::drain() {
  if (!handLate()) return;
  for (int i = 0; i < kLastWords && fd_; ++i) {
    const Step step = receiveOne();
    if (step == Step::kGone) return;  // perhaps destroyed by the handler
    if (step == Step::kEmpty) break;
  }
  if (!fd_) return;
  loop_.del(fd_.get());
  fd_.reset();
}

void Channel::closeInChild() {
  fd_.reset();
  queue_.clear();
}

void Channel::Waiting::carry(Archive& archive) {
  archive(bytes, descriptor, frames);
}

void Channel::carry(Archive& archive) {
  archive(queue_, queuedBytes_, taken_, left_);
  if (fd_ && !queue_.empty()) watchFor(Interest::kReadWrite);
}

void Channel::finish(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  for (flush(); !queue_.empty(); flush()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd wait{fd_.get(), POLLOUT, 0};
    if (left.count() <= 0) return;
    if (::poll(&wait, 1, static_cast<int>(left.count())) == 0) return;
  }
}

// ---- Frames that are awaited

bool Channel::await(std::chrono::milliseconds patience,
                    const std::function<bool(const Frame&)>& isIt) {
  using std::chrono::milliseconds;
  const auto deadline = Clock::now() + patience;
  bool found = false;
  while (fd_ && !found) {
    flush();
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() < 0) break;
    const bool waits = !queue_.empty();
    pollfd wait{fd_.get(),
                static_cast<short>(waits ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready == 0) break;
    if (ready < 0 || (wait.revents & (POLLIN | POLLHUP)) == 0) continue;
    Received received;
    if (read(received) == Step::kGone) break;
    std::string_view rest = received.view();
    std::size_t frames = 0;
    for (; auto frame = takeFrame(rest); ++frames) {
      found = found || isIt(*frame);
    }
    if (received.size == 0 || (found && frames == 1 && rest.empty())) continue;
    late_.push_back(
        {std::string(received.view()), std::move(received.descriptor)});
  }
  if (!late_.empty()) {
    loop_.del(lateTimer_);
    lateTimer_ = loop_.add(Clock::duration::zero(), Repeat::kOnce,
                           [this] { handLate(); });
  }
  return found;
}

// False: the handler has destroyed the channel, or the other side is gone.
bool Channel::handLate() {
  while (!late_.empty()) {
    const Late late = std::move(late_.front());
    late_.pop_front();
    if (deliver(late.bytes, late.descriptor.get()) == Step::kGone) return false;
  }
  return true;
}

// ---- Datagrams

Channel::Step Channel::receiveOne() {
  Received received;
  const Step step = read(received);
  if (step == Step::kGone) return gone();
  if (step == Step::kEmpty) return step;
  return deliver(received.view(), received.descriptor.get());
}

// kGone: it is at its end. A call that was interrupted gives an empty datagram.
Channel::Step Channel::read(Received& received) {
  iovec piece{received.bytes.data(), received.bytes.size()};
  Rights rights;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = rights.bytes;
  message.msg_controllen = sizeof rights.bytes;
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  // ECONNRESET is said once, when the peer has gone with something of ours
  // unread; what it sent before is still there (af_unix.c, unix_release_sock).
  if (n < 0 && (errno == EINTR || errno == ECONNRESET)) return Step::kDatagram;
  if (n < 0 && errno == EAGAIN) return Step::kEmpty;
  if (n <= 0) return Step::kGone;
  received.size = static_cast<std::size_t>(n);
  received.descriptor = takeRight(message);
  return Step::kDatagram;
}

// Nothing at the end, or where the bytes do not follow the rules.
std::optional<Frame> Channel::takeFrame(std::string_view& datagram) {
  Header header;
  if (datagram.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, datagram.data(), sizeof header);
  if (header.magic != kMagic || header.size > datagram.size() - sizeof header) {
    return std::nullopt;
  }
  datagram.remove_prefix(sizeof header);
  const Frame frame{static_cast<FrameKind>(header.kind),
                    datagram.substr(0, header.size), header.correlation};
  datagram.remove_prefix(header.size);
  return frame;
}

// The descriptor, if there is one, came with the first frame.
Channel::Step Channel::deliver(std::string_view datagram, int descriptor) {
  while (!datagram.empty()) {
    std::optional<Frame> frame = takeFrame(datagram);
    // Whatever does not follow the rules is not our other end any more.
    if (!frame) return gone();
    frame->descriptor = std::exchange(descriptor, -1);
    if (!hand(*frame)) return Step::kGone;
  }
  return Step::kDatagram;
}

// False: the handler has destroyed the channel.
bool Channel::hand(const Frame& frame) {
  const Guard guard(*this);
  handler_.onFrame(frame);
  return guard.alive;
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
