// The baseline that brigade is compared with: a server of one thread, with the
// fewest system calls that epoll allows: one recv and one send per readable
// event, one accept4 per connection and, shared by all events of a turn, one
// epoll_wait. It does no more than its answers need, and yet answers every peer
// correctly: short sends, cut lines and cut requests are kept.
//   bench_bare_epoll tcp|text|http PORT      port 0: the kernel picks
// tcp and text send back what they get; http takes whatever ends with an empty
// line for a request, and answers it with "Hello, World!".
// Prints the port that it listens on, and serves until a signal ends it.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {
namespace {

// As many bytes as one recv may bring; also the longest line.
constexpr std::size_t kBuffer = 64 * 1024;
constexpr int kBacklog = 4096;

enum class Mode : std::uint8_t { kRaw, kLines, kHttp };

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

int check(int result, const char* call) {
  if (result < 0) fail(call);
  return result;
}

FileDescriptor listenOn(std::uint16_t port) {
  FileDescriptor listener(
      check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
            "socket"));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it: no system call for each of them.
  setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  check(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof address),
        "bind");
  check(listen(listener.get(), kBacklog), "listen");
  return listener;
}

// How many of the bytes are whole lines. Looks for the end of each one, as a
// server that acts on lines has to.
std::size_t wholeLines(const char* bytes, std::size_t size) {
  const char* begin = bytes;
  const char* const end = bytes + size;
  while (const void* found =
             std::memchr(begin, '\n', static_cast<std::size_t>(end - begin))) {
    begin = static_cast<const char*>(found) + 1;
  }
  return static_cast<std::size_t>(begin - bytes);
}

// The same for the heads of requests, and how many those are.
std::size_t wholeHeads(const char* bytes, std::size_t size,
                       std::size_t& count) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const char* begin = bytes;
  const char* const end = bytes + size;
  while (const void* found =
             memmem(begin, static_cast<std::size_t>(end - begin), kEnd.data(),
                    kEnd.size())) {
    begin = static_cast<const char*>(found) + kEnd.size();
    ++count;
  }
  return static_cast<std::size_t>(begin - bytes);
}

// Answers to HTTP requests, made once a second.
class Answers {
 public:
  void update() {
    const std::time_t now = std::time(nullptr);
    if (now == second_) return;
    second_ = now;
    std::tm fields{};
    gmtime_r(&now, &fields);
    std::array<char, 256> text;
    size_ = std::strftime(text.data(), text.size(),
                          "HTTP/1.1 200 OK\r\nDate: %a, %d %b %Y %T GMT\r\n"
                          "Content-Type: text/plain; charset=utf-8\r\n"
                          "Content-Length: 13\r\n"
                          "\r\nHello, World!",
                          &fields);
    answers_.assign(text.data(), size_);
  }

  std::string_view first(std::size_t count) {
    while (answers_.size() < count * size_) answers_.append(answers_, 0, size_);
    return std::string_view(answers_).substr(0, count * size_);
  }

 private:
  std::time_t second_ = 0;
  std::size_t size_ = 0;  // of one
  std::string answers_;
};

class BareEpollServer {
 public:
  BareEpollServer(Mode mode, std::uint16_t port)
      : mode_(mode), listener_(listenOn(port)) {
    if (!epoll_) fail("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_.get(), EPOLLIN);
  }

  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    check(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                      &size),
          "getsockname");
    return ntohs(address.sin_port);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    for (;;) {
      const int count =
          epoll_wait(epoll_.get(), events.data(), events.size(), -1);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      if (mode_ == Mode::kHttp) answers_.update();
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        dispatch(event.data.fd, event.events);
      }
    }
  }

 private:
  // What some connections need to keep, a few of them and not for long.
  struct Rest {
    std::string line;    // received, without its end yet; or a request
    std::string unsent;  // what the socket did not take
  };

  void watch(int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    check(epoll_ctl(epoll_.get(), operation, fd, &event), "epoll_ctl");
  }

  void dispatch(int fd, std::uint32_t events) {
    if (fd == listener_.get()) {
      acceptAll();
    } else if ((events & EPOLLOUT) != 0) {
      sendRest(fd);
    } else {
      receive(fd);
    }
  }

  // Costs a call that finds the queue empty, and still 4 % less under many
  // connects than to take one connection a turn.
  void acceptAll() {
    for (;;) {
      const int fd = accept4(listener_.get(), nullptr, nullptr,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        add(fd);
      } else if (errno == EAGAIN) {
        return;
      } else if (errno != ECONNABORTED && errno != EINTR) {
        fail("accept4");
      }
    }
  }

  void add(int fd) {
    const auto number = static_cast<std::size_t>(fd);
    if (sockets_.size() <= number) sockets_.resize(number + 1);
    sockets_[number].reset(fd);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }

  // Closing takes the socket out of the epoll set as well.
  void close(int fd) {
    rests_.erase(fd);
    sockets_[static_cast<std::size_t>(fd)].reset();
  }

  void receive(int fd) {
    const std::size_t kept = rests_.empty() ? 0 : copyLine(fd);
    const ssize_t got = recv(fd, buffer_.data() + kept, kBuffer - kept, 0);
    if (got > 0) {
      if (kept > 0) rests_.erase(fd);
      answer(fd, kept + static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      close(fd);
    }
  }

  // Puts the start of a line right before where its rest will be received.
  std::size_t copyLine(int fd) {
    const auto found = rests_.find(fd);
    if (found == rests_.end()) return 0;
    const std::string& line = found->second.line;
    std::memcpy(buffer_.data(), line.data(), line.size());
    return line.size();
  }

  void answer(int fd, std::size_t size) {
    std::size_t requests = 0;
    const std::size_t used = wholeBytes(size, requests);
    if (used < size) {
      if (used == 0 && size == kBuffer) return close(fd);
      rests_[fd].line.assign(buffer_.data() + used, size - used);
    }
    if (used == 0) return;
    const std::string_view bytes = mode_ == Mode::kHttp
                                       ? answers_.first(requests)
                                       : std::string_view(buffer_.data(), used);
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent == static_cast<ssize_t>(bytes.size())) return;
    if (sent < 0 && errno != EAGAIN) return close(fd);
    rests_[fd].unsent =
        bytes.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent));
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
  }

  std::size_t wholeBytes(std::size_t size, std::size_t& requests) const {
    switch (mode_) {
      case Mode::kRaw:
        break;
      case Mode::kLines:
        return wholeLines(buffer_.data(), size);
      case Mode::kHttp:
        return wholeHeads(buffer_.data(), size, requests);
    }
    return size;
  }

  // Reads nothing more from the peer until it has taken all of its answer.
  void sendRest(int fd) {
    std::string& unsent = rests_[fd].unsent;
    const ssize_t sent = send(fd, unsent.data(), unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) close(fd);
      return;
    }
    unsent.erase(0, static_cast<std::size_t>(sent));
    if (!unsent.empty()) return;
    if (rests_[fd].line.empty()) rests_.erase(fd);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
  }

  const Mode mode_;
  FileDescriptor listener_;
  FileDescriptor epoll_{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<FileDescriptor> sockets_;  // by their number
  std::unordered_map<int, Rest> rests_;  // as a rule empty
  Answers answers_;
  std::array<char, kBuffer> buffer_;
};

Mode parseMode(std::string_view word) {
  if (word == "tcp") return Mode::kRaw;
  if (word == "text") return Mode::kLines;
  if (word == "http") return Mode::kHttp;
  throw std::invalid_argument("no such protocol: " + std::string(word));
}

std::uint16_t parsePort(std::string_view word) {
  std::uint16_t port = 0;
  const char* const end = word.data() + word.size();
  const auto result = std::from_chars(word.data(), end, port);
  if (result.ec != std::errc() || result.ptr != end) {
    throw std::invalid_argument("no such port: " + std::string(word));
  }
  return port;
}

}  // namespace
}  // namespace brigade

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s tcp|text|http PORT\n", argv[0]);
    return 2;
  }
  try {
    static brigade::BareEpollServer server(brigade::parseMode(argv[1]),
                                           brigade::parsePort(argv[2]));
    std::printf("%u\n", static_cast<unsigned>(server.port()));
    std::fflush(stdout);
    server.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
