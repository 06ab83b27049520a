#pragma once

// Transport: the one seam between a connection and the kernel. EINTR stays
// inside. A test puts a faulty one in its place; TLS will be another.

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <span>

namespace brigade::detail {

class Transport {
 public:
  // Bytes, or -errno. 0 from receive(): end of input. -EAGAIN: not now.
  virtual ssize_t receive(int fd, char* data, std::size_t size) = 0;
  // What the next receive() would begin with: 1 for a byte, 0, or -errno.
  virtual ssize_t peek(int fd) = 0;
  virtual ssize_t send(int fd, std::span<const iovec> pieces) = 0;
  // From `offset` of `file`; 0: the file ends before it.
  virtual ssize_t sendFile(int fd, int file, off_t offset,
                           std::size_t count) = 0;

 protected:
  ~Transport() = default;
};

// Inline: behind a system call the processor has forgotten where the callers
// are, and each return to one costs as much as what it does there.
class PlainTransport final : public Transport {
 public:
  ssize_t receive(int fd, char* data, std::size_t size) override {
    ssize_t n = 0;
    do {
      n = ::recv(fd, data, size, 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
  }
  ssize_t peek(int fd) override;
  ssize_t send(int fd, std::span<const iovec> pieces) override {
    if (pieces.size() != 1) return gather(fd, pieces);
    ssize_t n = 0;
    do {
      n = ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
  }
  ssize_t sendFile(int fd, int file, off_t offset, std::size_t count) override;

 private:
  [[gnu::cold]] static ssize_t gather(int fd, std::span<const iovec> pieces);
};

}  // namespace brigade::detail
