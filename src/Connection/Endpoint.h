#pragma once

// Endpoint: one side of a connection as the kernel names it, in 20 bytes (a
// sockaddr_storage takes 128, and 10,000 idle connections keep one each).

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

namespace brigade {

class Endpoint {
 public:
  Endpoint() = default;
  explicit Endpoint(const sockaddr_storage& address);

  // "127.0.0.1:4711", "[::1]:4711", "unix". An IPv4 peer of a dual-stack
  // listener is shown as IPv4.
  std::string toString() const;
  std::string ip() const;  // empty for a Unix socket
  std::uint16_t port() const { return port_; }
  bool isUnix() const { return family_ == AF_UNIX; }

 private:
  std::array<unsigned char, 16> ip_{};
  std::uint16_t port_ = 0;
  std::uint8_t family_ = AF_UNSPEC;
};

}  // namespace brigade
