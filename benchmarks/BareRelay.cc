// The least that a relayed letter can cost: three processes and two socket
// pairs, one epoll_wait, one recv and one send for each hop. Sends COUNT
// datagrams there and back, one in flight, and prints what half of that takes:
// {"value": MEDIAN, "p99": ...} in µs.
//   bench_bare_relay COUNT
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <system_error>
#include <utility>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {
namespace {

using Clock = std::chrono::steady_clock;

// A letter of 64 bytes with what brigade puts in front of it.
constexpr std::size_t kSize = 124;

int check(int result, const char* call) {
  if (result >= 0) return result;
  throw std::system_error(errno, std::generic_category(), call);
}

std::pair<FileDescriptor, FileDescriptor> makePair() {
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends),
        "socketpair");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

class Poll {
 public:
  explicit Poll(std::initializer_list<int> sockets)
      : fd_(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    for (const int socket : sockets) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = socket;
      check(epoll_ctl(fd_.get(), EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
    }
  }
  // The one that has something to read.
  int wait() {
    epoll_event event{};
    while (epoll_wait(fd_.get(), &event, 1, -1) != 1) {
    }
    return event.data.fd;
  }

 private:
  FileDescriptor fd_;
};

// Passes on what comes from one to the other, until one of them is closed.
void relay(int one, int other) {
  Poll poll{one, other};
  std::array<char, kSize> bytes;
  for (;;) {
    const int from = poll.wait();
    if (recv(from, bytes.data(), bytes.size(), 0) <= 0) return;
    send(from == one ? other : one, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

void echo(int socket) {
  Poll poll{socket};
  std::array<char, kSize> bytes;
  for (;;) {
    if (recv(poll.wait(), bytes.data(), bytes.size(), 0) <= 0) return;
    send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

std::vector<double> measure(int socket, std::size_t count) {
  Poll poll{socket};
  std::array<char, kSize> bytes{};
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    recv(poll.wait(), bytes.data(), bytes.size(), 0);
    const std::chrono::duration<double, std::micro> took = Clock::now() - begin;
    times.push_back(took.count() / 2);
  }
  std::sort(times.begin(), times.end());
  return times;
}

void run(std::size_t count) {
  auto [left, leftEnd] = makePair();
  auto [right, rightEnd] = makePair();
  if (check(fork(), "fork") == 0) {
    left.reset();
    right.reset();
    leftEnd.reset();
    echo(rightEnd.get());
    _exit(0);
  }
  rightEnd.reset();
  if (check(fork(), "fork") == 0) {
    left.reset();
    relay(leftEnd.get(), right.get());
    _exit(0);
  }
  const std::vector<double> times = measure(left.get(), count);
  std::printf("{\"value\": %f, \"p99\": %f}\n", times[count / 2],
              times[count * 99 / 100]);
}

}  // namespace
}  // namespace brigade

int main(int argc, char** argv) {
  const std::size_t count = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (count == 0) {
    std::fputs("usage: bench_bare_relay COUNT\n", stderr);
    return 2;
  }
  try {
    brigade::run(count);
    return 0;
  } catch (const std::system_error& e) {
    std::fprintf(stderr, "bench_bare_relay: %s\n", e.what());
    return 1;
  }
}
