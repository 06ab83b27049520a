#include "tests/support/WebClient.h"

#include "tests/support/WebSocketFrames.h"

namespace brigade::test {

HttpAnswer WebClient::get(std::string_view path, std::string_view fields) {
  std::string request = "GET ";
  request.append(path).append(" HTTP/1.1\r\nHost: test\r\n");
  request.append(fields).append("\r\n");
  return send(request) ? answer() : HttpAnswer();
}

HttpAnswer WebClient::answer() {
  return nextAnswer(*this).value_or(HttpAnswer());
}

bool WebClient::upgrade(std::string_view path) {
  const auto answer = openWebSocket(*this, std::string(path));
  return answer && answer->status == 101 &&
         answer->field("Sec-WebSocket-Accept") == kWebSocketAccept;
}

bool WebClient::sendFrame(unsigned first, std::string_view data) {
  return send(testing::clientFrame(first, data));
}

std::string WebClient::text() {
  const std::string event = nextEvent(*this);
  return event.starts_with("text ") ? event.substr(5) : event;
}

}  // namespace brigade::test
