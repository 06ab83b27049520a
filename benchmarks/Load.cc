#include "Load.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include "Exchange.h"

namespace brigade::bench {

namespace {

constexpr std::size_t kBuffer = 256 * 1024;
// How long a server may be silent. It may have to start on a busy machine.
constexpr std::chrono::seconds kPatience{10};
// Connections without an answer while more are opened: far fewer than any
// server's backlog, beyond which the kernel would make the client wait.
constexpr std::size_t kOpening = 64;

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace

Load::Load(const Target& target, Payload& payload, Then then)
    : target_(target),
      payload_(payload),
      then_(then),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBuffer),
      lastEvent_(std::chrono::steady_clock::now()) {
  if (!epoll_) fail("epoll_create1");
}

void Load::open(std::size_t connections) {
  connections_.resize(connections);
  for (std::size_t index = 0; index < connections; ++index) {
    connect(index);
    sendBatch(index);
    while (waiting_ >= kOpening) turn();
  }
  finish();
}

void Load::go() {
  busy_ = true;
  lastEvent_ = std::chrono::steady_clock::now();
  for (std::size_t index = 0; index < connections_.size(); ++index) {
    next(index);
  }
}

void Load::turn() {
  std::array<epoll_event, 1024> events;
  const int count = epoll_wait(epoll_.get(), events.data(), events.size(), 0);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  if (count <= 0) return failWhenStalled();
  lastEvent_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if ((event.events & EPOLLOUT) != 0) sendRest(event.data.u64);
    if ((event.events & ~EPOLLOUT) != 0) receive(event.data.u64);
  }
}

void Load::finish() {
  busy_ = false;
  while (waiting_ > 0) turn();
}

std::string_view Load::batchOf(std::size_t index) const {
  return payload_.batch(index, connections_[index].number);
}

void Load::connect(std::size_t index) {
  FileDescriptor& socket = connections_[index].socket;
  socket = target_.connect(connects_++);
  if (!payload_.greeting().empty()) {
    exchange(socket.get(), payload_.greeting(), 101);
  }
  watch(EPOLL_CTL_ADD, index, EPOLLIN);
}

void Load::watch(int operation, std::size_t index, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = index;
  const int fd = connections_[index].socket.get();
  if (epoll_ctl(epoll_.get(), operation, fd, &event) < 0) fail("epoll_ctl");
}

void Load::sendBatch(std::size_t index) {
  Connection& connection = connections_[index];
  ++connection.number;
  connection.sent = 0;
  connection.received = 0;
  ++waiting_;
  sendRest(index);
}

void Load::sendRest(std::size_t index) {
  Connection& connection = connections_[index];
  const std::string_view rest = batchOf(index).substr(connection.sent);
  const ssize_t sent = send(connection.socket.get(), rest.data(), rest.size(),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN) fail("send");
  connection.sent += sent < 0 ? 0 : static_cast<std::size_t>(sent);
  const bool unsent = connection.sent < batchOf(index).size();
  if (unsent == connection.watchesWrite) return;
  connection.watchesWrite = unsent;
  watch(EPOLL_CTL_MOD, index, unsent ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Load::receive(std::size_t index) {
  Connection& connection = connections_[index];
  const ssize_t got = recv(connection.socket.get(), buffer_.data(),
                           buffer_.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) fail("recv");
  if (got == 0) throw std::runtime_error("the server closed a connection");
  const std::string_view answer(buffer_.data(), static_cast<std::size_t>(got));
  payload_.verify(index, connection.number, connection.received, answer);
  connection.received += answer.size();
  if (connection.received < payload_.answerSize()) return;
  ++batches_;
  --waiting_;
  if (busy_) next(index);
}

void Load::next(std::size_t index) {
  if (then_ == Then::kReconnect) {
    connections_[index].socket.reset();
    connect(index);
  }
  sendBatch(index);
}

void Load::failWhenStalled() const {
  if (std::chrono::steady_clock::now() - lastEvent_ > kPatience) {
    throw std::runtime_error("the server does not answer any more");
  }
}

}  // namespace brigade::bench
