#include "brigade/Process/ProgramChannel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

// Messages handled in one turn: others get their turn in between.
constexpr std::size_t kBatch = 32;
// Of a dead program: a grandchild may hold its end, and go on.
constexpr std::size_t kLastWords = 4096;
constexpr std::chrono::seconds kSecond{1};
// So many seconds of too much, one after the other, are a flood.
constexpr int kFlood = 5;

constexpr std::size_t kMaxDatagram =
    ProgramPost::kMaxEvent + 1 + ProgramPost::kMaxData;

bool isEvent(std::string_view text) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-";
  return !text.empty() && text.size() <= ProgramPost::kMaxEvent &&
         text.find_first_not_of(kLetters) == std::string_view::npos;
}

bool isTransient(int error) {
  return error == EAGAIN || error == ENOBUFS || error == EINTR;
}

}  // namespace

ProgramChannel::Pair ProgramChannel::makePair() {
  int ends[2];
  // Blocking, for the program's sake: this end asks for MSG_DONTWAIT.
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a channel to a program");
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

ProgramChannel::ProgramChannel(EventInterface& loop, FileDescriptor fd,
                               std::size_t maxPerSecond,
                               ProgramChannelHandler& handler)
    : loop_(loop),
      fd_(std::move(fd)),
      maxPerSecond_(maxPerSecond),
      handler_(handler) {
  watch();
}

ProgramChannel::~ProgramChannel() { close(); }

void ProgramChannel::close() {
  loop_.del(std::exchange(resume_, {}));
  queue_.clear();
  queuedBytes_ = 0;
  if (!fd_) return;
  loop_.del(fd_.get());
  fd_.reset();
}

void ProgramChannel::watch() {
  if (!paused_) {
    loop_.add(fd_.get(),
              queue_.empty() ? Interest::kRead : Interest::kReadWrite, *this);
  } else if (!queue_.empty()) {
    loop_.add(fd_.get(), Interest::kWrite, *this);
  } else {
    loop_.del(fd_.get());
  }
}

void ProgramChannel::carry(Archive& archive) {
  archive(queue_, queuedBytes_);
  if (archive.isReading() && fd_) watch();
}

// ---- To the program

ProgramChannel::Result ProgramChannel::send(std::string_view event,
                                            std::string_view data) {
  if (!isEvent(event)) {
    throw std::invalid_argument("'" + std::string(event) +
                                "' cannot name an event");
  }
  if (data.size() > ProgramPost::kMaxData) {
    throw std::length_error("a message of " + std::to_string(data.size()) +
                            " bytes to a program; at most " +
                            std::to_string(ProgramPost::kMaxData));
  }
  if (!fd_) return Result::kGone;
  std::string datagram(event);
  datagram += '\0';
  datagram += data;
  if (queue_.empty()) {
    if (transmit(datagram)) return Result::kSent;
    // Its end is seen when what it has said is read.
    if (!isTransient(errno)) return Result::kGone;
  }
  if (queuedBytes_ + datagram.size() > ProgramPost::kMaxQueue) {
    return Result::kFull;
  }
  queuedBytes_ += datagram.size();
  queue_.push_back(std::move(datagram));
  watch();
  return Result::kQueued;
}

bool ProgramChannel::transmit(std::string_view datagram) {
  return ::send(fd_.get(), datagram.data(), datagram.size(),
                MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void ProgramChannel::flush() {
  while (!queue_.empty()) {
    if (!transmit(queue_.front())) {
      if (isTransient(errno)) return;
      queue_.clear();
      queuedBytes_ = 0;
      break;
    }
    queuedBytes_ -= queue_.front().size();
    queue_.pop_front();
  }
  watch();
}

// ---- From the program

void ProgramChannel::onReady(Ready ready) {
  if (ready.write) flush();
  if (ready.read && fd_ && !paused_) receive(kBatch);
}

void ProgramChannel::receive(std::size_t most) {
  for (std::size_t i = 0; i < most && fd_; ++i) {
    if (isOverAllowance() || receiveOne() != Step::kMessage) return;
  }
}

void ProgramChannel::drain() {
  for (std::size_t i = 0; i < kLastWords && fd_; ++i) {
    if (receiveOne() != Step::kMessage) break;
  }
  close();
}

ProgramChannel::Step ProgramChannel::receiveOne() {
  std::array<char, kMaxDatagram> bytes;
  iovec piece{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
  if (n < 0 && errno == EINTR) return Step::kMessage;
  if (n < 0 && errno == EAGAIN) return Step::kEmpty;
  if (n <= 0) {
    // An empty datagram looks like the end of file, and is taken for one.
    close();
    return Step::kGone;
  }
  ++inSecond_;
  // MSG_CTRUNC: descriptors came along, and the kernel has closed them.
  const std::string_view datagram(bytes.data(), static_cast<std::size_t>(n));
  const auto zero = datagram.find('\0');
  if ((message.msg_flags & MSG_TRUNC) != 0) {
    bad("a message that is too long");
  } else if ((message.msg_flags & MSG_CTRUNC) != 0) {
    bad("a message with descriptors");
  } else if (zero == std::string_view::npos) {
    bad("a message without an event");
  } else if (!isEvent(datagram.substr(0, zero))) {
    bad("a message whose event has no name");
  } else if (datagram.size() - zero - 1 > ProgramPost::kMaxData) {
    bad("a message that is too long");
  } else {
    handler_.onMessage(datagram.substr(0, zero), datagram.substr(zero + 1));
    return fd_ ? Step::kMessage : Step::kGone;
  }
  return Step::kGone;
}

void ProgramChannel::bad(std::string_view reason) {
  close();
  handler_.onBadMessage(reason);
}

// ---- The pace

// Past the allowance nothing is read until the second is over: the program
// waits in its send(2).
bool ProgramChannel::isOverAllowance() {
  if (maxPerSecond_ == 0) return false;
  if (loop_.now() - second_ >= kSecond) beginSecond();
  if (inSecond_ < maxPerSecond_) return false;
  if (fullSeconds_ + 1 >= kFlood) {
    bad("a flood: over " + std::to_string(maxPerSecond_) +
        " messages a second");
    return true;
  }
  paused_ = true;
  watch();
  resume_ = loop_.add(second_ + kSecond - loop_.now(), Repeat::kOnce, [this] {
    paused_ = false;
    watch();
  });
  return true;
}

void ProgramChannel::beginSecond() {
  const bool wasFull = inSecond_ >= maxPerSecond_;
  const bool isNext = loop_.now() - second_ < 2 * kSecond;
  fullSeconds_ = wasFull && isNext ? fullSeconds_ + 1 : 0;
  second_ = loop_.now();
  inSecond_ = 0;
}

}  // namespace brigade
