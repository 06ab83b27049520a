#include "tests/support/Wire.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace brigade::test {
namespace {

constexpr std::chrono::seconds kPatience{20};

FileDescriptor joined(FileDescriptor fd, const sockaddr* address,
                      socklen_t size) {
  const timeval patience{kPatience.count(), 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), address, size) != 0) fd.reset();
  return fd;
}

FileDescriptor makeSocket(int family) {
  return FileDescriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

sockaddr_in loopback(std::uint16_t port, std::uint8_t host) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xFFU) | host);
  return in;
}

}  // namespace

Wire::Wire(std::uint16_t port) : Wire(port, 1) {}

Wire::Wire(std::uint16_t port, std::uint8_t host) {
  const sockaddr_in from = loopback(0, host);
  const sockaddr_in to = loopback(port, 1);
  fd_ = makeSocket(AF_INET);
  if (host != 1) {
    ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from);
  }
  fd_ =
      joined(std::move(fd_), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  // Two short messages in a row are not held back for 40 ms.
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Wire::Wire(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  path.copy(un.sun_path, sizeof un.sun_path - 1);
  fd_ = joined(makeSocket(AF_UNIX), reinterpret_cast<const sockaddr*>(&un),
               sizeof un);
}

bool Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool Wire::taken() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int left = 0;
  while (::ioctl(fd_.get(), SIOCOUTQ, &left) == 0 && left > 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::sched_yield();
  }
  return left == 0;
}

bool Wire::sendInSteps(std::string_view bytes, std::size_t step) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, step);
    if (!send(part) || !taken()) return false;
    bytes.remove_prefix(part.size());
  }
  return true;
}

void Wire::halfClose() { ::shutdown(fd_.get(), SHUT_WR); }

void Wire::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.reset();
}

bool Wire::receive() {
  char bytes[64 * 1024];
  const ssize_t n = ::recv(fd_.get(), bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  received_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

bool Wire::somethingIsThere() const {
  pollfd poll{fd_.get(), POLLIN, 0};
  return !received_.empty() || ::poll(&poll, 1, 0) != 0;
}

bool Wire::receiveAtLeast(std::size_t size) {
  while (received_.size() < size) {
    if (!receive()) return false;
  }
  return true;
}

bool Wire::isClosed() {
  if (!received_.empty()) return false;
  char byte;
  const ssize_t n = ::recv(fd_.get(), &byte, 1, 0);
  if (n > 0) received_.push_back(byte);
  // A reset ends it as well; a time-out does not.
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

std::string Wire::rest() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

std::optional<std::string> Wire::line() {
  std::size_t end;
  while ((end = received_.find('\n')) == std::string::npos) {
    if (!receive()) return std::nullopt;
  }
  std::string line = received_.substr(0, end);
  received_.erase(0, end + 1);
  return line;
}

std::optional<std::string> Wire::ask(std::string_view question) {
  if (!send(std::string(question) + "\n")) return std::nullopt;
  return line();
}

}  // namespace brigade::test
