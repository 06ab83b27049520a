#pragma once

// WebClient: what a test says to a web server and hears from it, byte by byte:
// requests as they are written, answers taken apart, frames of a WebSocket.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/support/Client.h"

namespace brigade::test {

struct Answer {
  unsigned status = 0;  // 0: there was none
  std::string head;     // all of it, with its line ends
  std::string body;

  // The value of a field, in the case it was sent in; empty without it.
  std::string field(std::string_view name) const;
};

class WebClient {
 public:
  explicit WebClient(std::uint16_t port) : client_(port) {}

  bool send(std::string_view bytes) { return client_.send(bytes); }
  // "GET path HTTP/1.1" with a Host, and its answer.
  Answer get(std::string_view path, std::string_view fields = {});
  // The next answer: by its Content-Length, its chunks, or to the end.
  Answer answer();
  // All that comes until the end.
  std::string rest() { return received_ + client_.rest(); }
  // Whether nothing follows but the end.
  bool ended() { return rest().empty(); }

  // The handshake; true when it was accepted.
  bool upgrade(std::string_view path = "/");
  struct Frame {
    unsigned opcode = 0;  // with the FIN bit: 0x81 is a text
    std::string data;
  };
  // Masked, in one frame.
  bool sendFrame(unsigned opcode, std::string_view data);
  bool sendText(std::string_view text) { return sendFrame(0x81, text); }
  // Nothing at the end of the connection.
  std::optional<Frame> frame();
  // The data of the next frame; "closed CODE" for a close frame, "end" at the
  // end.
  std::string text();

  Client& client() { return client_; }

 private:
  std::optional<std::string> take(std::size_t bytes);

  Client client_;
  std::string received_;
};

}  // namespace brigade::test
