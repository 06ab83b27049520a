#pragma once

// Target: the server under load, as an address to connect to. Connections may
// come from several addresses of the loopback network, because one address
// has no more than some 28,000 ports, each of which rests for a minute after
// its connection was closed.

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::bench {

class Target {
 public:
  // `host` is an IPv4 address. Throws std::invalid_argument otherwise.
  Target(const std::string& host, std::uint16_t port);

  // A connected, blocking socket with TCP_NODELAY. `number` picks the source
  // address where the server is on the loopback network. Throws
  // std::system_error.
  FileDescriptor connect(std::uint64_t number) const;

 private:
  bool loopback() const;

  sockaddr_in address_{};
};

}  // namespace brigade::bench
