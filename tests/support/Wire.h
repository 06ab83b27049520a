#pragma once

// Wire: a client of bytes and lines. It decides about every byte: all at once,
// one by one, or cut in two, where the next part leaves only when the server
// has taken the one before. Every wait has a deadline.
//
// That a part was taken can be seen on a Unix socket only: there SIOCOUTQ
// counts what the peer has not read (unix(7)), on TCP what it has not
// acknowledged.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::test {

class Wire {
 public:
  // Not connected when that failed: see connected().
  explicit Wire(std::uint16_t port);
  // From 127.0.0.`host`.
  Wire(std::uint16_t port, std::uint8_t host);
  explicit Wire(const std::string& path);  // of a Unix socket

  bool connected() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  // False once the server has gone; what it said before is there to be read.
  bool send(std::string_view bytes);
  // `step` bytes at a time, each taken before the next. On a Unix socket.
  bool sendInSteps(std::string_view bytes, std::size_t step = 1);
  // True when the server has read all that was sent.
  bool taken();
  // No more will be sent.
  void halfClose();
  void close() { fd_.reset(); }
  // Closes with a reset instead of an orderly end.
  void reset();

  // What was received and not taken out yet.
  std::string& received() { return received_; }
  // Waits for more, 20 s at most. False: there is no more.
  bool receive();
  // Without waiting.
  bool somethingIsThere() const;
  // Waits until there are so many bytes.
  bool receiveAtLeast(std::size_t size);
  // True when the server closes, and says nothing before it does.
  bool isClosed();
  // All that comes until the server closes.
  std::string rest();

  // The next line without its end; nothing when there is none.
  std::optional<std::string> line();
  // send(line + "\n"), then line().
  std::optional<std::string> ask(std::string_view line);

 private:
  FileDescriptor fd_;
  std::string received_;
};

}  // namespace brigade::test
