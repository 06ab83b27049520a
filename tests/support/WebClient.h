#pragma once

// WebClient: a Wire that asks a web server and opens WebSockets, and is strict
// with what it hears (HttpAnswer.h, WebSocketPeer.h).

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/HttpAnswer.h"
#include "tests/support/WebSocketPeer.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class WebClient : public Wire {
 public:
  using Wire::Wire;

  // "GET path HTTP/1.1" with a Host, and its answer.
  HttpAnswer get(std::string_view path, std::string_view fields = {});
  // The next answer; its status is 0 when there is none, or no whole one.
  HttpAnswer answer();
  // Whether nothing follows but the end.
  bool ended() { return rest().empty(); }

  // The handshake; true when it was accepted.
  bool upgrade(std::string_view path = "/");
  // Masked, in one frame. `first`: FIN, RSV bits and opcode.
  bool sendFrame(unsigned first, std::string_view data);
  bool sendText(std::string_view text) { return sendFrame(0x81, text); }
  // The data of a text; of another frame, or the end, what nextEvent() says.
  std::string text();
};

}  // namespace brigade::test
