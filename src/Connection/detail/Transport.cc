#include "brigade/Connection/detail/Transport.h"

#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace brigade::detail {

ssize_t PlainTransport::receive(int fd, char* data, std::size_t size) {
  for (;;) {
    const ssize_t n = ::recv(fd, data, size, 0);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

ssize_t PlainTransport::send(int fd, std::span<const iovec> pieces) {
  for (;;) {
    ssize_t n;
    if (pieces.size() == 1) {
      n = ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = std::min<std::size_t>(pieces.size(), IOV_MAX);
      n = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

}  // namespace brigade::detail
