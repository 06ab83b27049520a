#include "Target.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace brigade::bench {

namespace {

// 127.0.0.1 and those after it.
constexpr std::uint32_t kSources = 64;

void check(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
}

// The port is left to connect(), which looks for one that is free towards
// this server only: ip(7), IP_BIND_ADDRESS_NO_PORT.
void comeFrom(int fd, std::uint64_t number) {
  const int on = 1;
  check(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on),
        "IP_BIND_ADDRESS_NO_PORT");
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr =
      htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(number % kSources));
  check(bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source),
        "bind");
}

}  // namespace

Target::Target(const std::string& host, std::uint16_t port) {
  address_.sin_family = AF_INET;
  address_.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address_.sin_addr) != 1) {
    throw std::invalid_argument("not an IPv4 address: " + host);
  }
}

FileDescriptor Target::connect(std::uint64_t number) const {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  check(socket.get(), "socket");
  if (loopback()) comeFrom(socket.get(), number);
  const int on = 1;
  check(setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
        "TCP_NODELAY");
  check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address_),
                  sizeof address_),
        "connect");
  return socket;
}

bool Target::loopback() const {
  return ntohl(address_.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

}  // namespace brigade::bench
