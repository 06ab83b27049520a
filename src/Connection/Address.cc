#include "brigade/Connection/Address.h"

#include <charconv>

namespace brigade {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw BadAddress("bad address '" + std::string(text) +
                   "': " + std::string(reason));
}

std::uint16_t parsePort(std::string_view text, std::string_view port) {
  std::uint16_t number = 0;
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) {
    refuse(text, "the port is not a number from 0 to 65535");
  }
  return number;
}

void parseHostAndPort(std::string_view text, std::string_view authority,
                      Address& address) {
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.back() == ']') {
    refuse(text, "there is no port (write host:port)");
  }
  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) refuse(text, "a '[' without its ']'");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    refuse(text, "an IPv6 host is written in brackets, as in [::]:80");
  }
  if (host.empty()) refuse(text, "there is no host (0.0.0.0 takes every one)");
  address.host = host;
  address.port = parsePort(text, authority.substr(colon + 1));
}

}  // namespace

Address Address::parse(std::string_view text) {
  const auto separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) {
    refuse(text, "write it as PROTOCOL://host:port or PROTOCOL+unix:///path");
  }
  const std::string_view scheme = text.substr(0, separator);
  const std::string_view rest = text.substr(separator + 3);
  Address address;
  const auto plus = scheme.find('+');
  address.protocol = scheme.substr(0, plus);
  const std::string_view transport =
      plus == std::string_view::npos ? "" : scheme.substr(plus + 1);
  if (address.protocol.empty()) refuse(text, "there is no protocol");
  if (transport == "unix" || (transport.empty() && scheme == "unix")) {
    address.family = Family::kUnix;
    if (!rest.starts_with('/')) {
      refuse(text, "a socket's path is absolute, as in unix:///run/app.sock");
    }
    address.path = rest;
    return address;
  }
  if (plus != std::string_view::npos) {
    refuse(text,
           "unknown transport '" + std::string(transport) + "': have unix");
  }
  parseHostAndPort(text, rest, address);
  return address;
}

std::string Address::toString() const {
  if (family == Family::kUnix) {
    const bool plain = protocol == "unix";
    return (plain ? "unix://" : protocol + "+unix://") + path;
  }
  const bool v6 = host.find(':') != std::string::npos;
  return protocol + "://" + (v6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

}  // namespace brigade
