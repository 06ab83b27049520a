#pragma once

// Transport: the one seam between a connection and the kernel. EINTR stays
// inside. A test puts a faulty one in its place; TLS will be another.

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace brigade::detail {

class Transport {
 public:
  // Bytes, or -errno. 0 from receive(): end of input. -EAGAIN: not now.
  virtual ssize_t receive(int fd, char* data, std::size_t size) = 0;
  virtual ssize_t send(int fd, std::span<const iovec> pieces) = 0;

 protected:
  ~Transport() = default;
};

class PlainTransport final : public Transport {
 public:
  ssize_t receive(int fd, char* data, std::size_t size) override;
  ssize_t send(int fd, std::span<const iovec> pieces) override;
};

}  // namespace brigade::detail
