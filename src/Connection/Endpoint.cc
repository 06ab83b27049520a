#include "brigade/Connection/Endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace brigade {

Endpoint::Endpoint(const sockaddr_storage& address)
    : family_(static_cast<std::uint8_t>(address.ss_family)) {
  if (family_ == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(ip_.data(), &in.sin_addr, sizeof in.sin_addr);
    port_ = ntohs(in.sin_port);
  } else if (family_ == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &address, sizeof in6);
    port_ = ntohs(in6.sin6_port);
    const unsigned char* bytes = in6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
      family_ = AF_INET;
      std::copy_n(bytes + 12, 4, ip_.begin());
    } else {
      std::copy_n(bytes, 16, ip_.begin());
    }
  }
}

std::string Endpoint::ip() const {
  if (family_ != AF_INET && family_ != AF_INET6) return {};
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(family_, ip_.data(), text, sizeof text);
}

std::string Endpoint::toString() const {
  switch (family_) {
    case AF_INET:
      return ip() + ":" + std::to_string(port_);
    case AF_INET6:
      return std::string("[").append(ip()).append("]:").append(
          std::to_string(port_));
    case AF_UNIX:
      return "unix";
    default:
      return "unknown";
  }
}

}  // namespace brigade
