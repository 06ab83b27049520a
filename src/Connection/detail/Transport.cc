#include "brigade/Connection/detail/Transport.h"

#include <limits.h>
#include <sys/sendfile.h>

#include <algorithm>

namespace brigade::detail {

ssize_t PlainTransport::peek(int fd) {
  char byte = 0;
  ssize_t n = 0;
  do {
    n = ::recv(fd, &byte, 1, MSG_PEEK);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

ssize_t PlainTransport::gather(int fd, std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
  ssize_t n = 0;
  do {
    n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

ssize_t PlainTransport::sendFile(int fd, int file, off_t offset,
                                 std::size_t count) {
  ssize_t n = 0;
  do {
    n = ::sendfile(fd, file, &offset, count);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? -errno : n;
}

}  // namespace brigade::detail
