#pragma once

// Address: where a Worker listens, as its author writes it:
//   text://0.0.0.0:5678   tcp://[::]:80   unix:///run/app.sock
//   text+unix:///run/app.sock
// Port 0 lets the kernel pick. [::] takes IPv4 as well. Host names are looked
// up (getaddrinfo(3)) when the listener binds.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace brigade {

// "bad address 'text//x': ...", naming the address and the reason.
class BadAddress : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct Address {
  enum class Family : std::uint8_t { kTcp, kUnix };

  std::string protocol;  // the scheme without its transport: "text"
  Family family = Family::kTcp;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string path;  // of a Unix socket, absolute

  // Throws BadAddress.
  static Address parse(std::string_view text);
  std::string toString() const;
};

}  // namespace brigade
