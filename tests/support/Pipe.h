#pragma once

// Pipe: what another process says, up to a deadline of ten seconds.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::test {

inline constexpr int kPipeDeadline = 10'000;  // ms

// Until `wanted` was read or nobody writes any more; with "(timed out)" behind
// it past the deadline. Empty: until nobody writes any more.
inline std::string readUntil(int fd, std::string_view wanted) {
  std::string all;
  while (wanted.empty() || all.find(wanted) == std::string::npos) {
    pollfd wait = {fd, POLLIN, 0};
    if (::poll(&wait, 1, kPipeDeadline) != 1) return all + " (timed out)";
    char bytes[4096];
    const ssize_t n = ::read(fd, bytes, sizeof bytes);
    if (n <= 0) break;
    all.append(bytes, static_cast<std::size_t>(n));
  }
  return all;
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  // Everything until nobody can write any more.
  std::string readAll() {
    write.reset();
    return readUntil(read.get(), "");
  }
  // Until somebody says something.
  void await() const {
    pollfd wait = {read.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPipeDeadline) != 1) std::abort();
  }
  void say(const std::string& text) const {
    if (::write(write.get(), text.data(), text.size()) < 0) std::abort();
  }

  FileDescriptor read, write;
};

}  // namespace brigade::test
