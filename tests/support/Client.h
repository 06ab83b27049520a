#pragma once

// Client: a blocking TCP client whose every wait has a deadline.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::test {

class Client {
 public:
  // Not connected when that failed: see connected().
  explicit Client(std::uint16_t port);

  bool connected() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  bool send(std::string_view bytes);
  // The next line without its end; nothing at the end of input, after an error
  // or when 20 s have passed.
  std::optional<std::string> line();
  // send(line + "\n"), then line().
  std::optional<std::string> ask(std::string_view line);
  // Reads until the peer closes; what came.
  std::string rest();
  // Closes with a reset instead of an orderly end.
  void reset();

 private:
  bool fill();

  FileDescriptor fd_;
  std::string buffer_;
};

}  // namespace brigade::test
