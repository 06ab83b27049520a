#include "tests/support/WebClient.h"

#include <poll.h>
#include <sys/socket.h>

namespace brigade::test {
namespace {

constexpr int kPatienceMs = 20'000;

}  // namespace

std::string Answer::field(std::string_view name) const {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const auto begin = head.find(line);
  if (begin == std::string::npos) return "";
  const auto value = begin + line.size();
  return head.substr(value, head.find("\r\n", value) - value);
}

// Exactly so many bytes; nothing when the connection ends before.
std::optional<std::string> WebClient::take(std::size_t bytes) {
  while (received_.size() < bytes) {
    pollfd poll{client_.fd(), POLLIN, 0};
    if (::poll(&poll, 1, kPatienceMs) != 1) return std::nullopt;
    char buffer[65536];
    const ssize_t n = ::recv(client_.fd(), buffer, sizeof buffer, 0);
    if (n <= 0) return std::nullopt;
    received_.append(buffer, static_cast<std::size_t>(n));
  }
  std::string taken = received_.substr(0, bytes);
  received_.erase(0, bytes);
  return taken;
}

Answer WebClient::get(std::string_view path, std::string_view fields) {
  std::string request = "GET " + std::string(path) +
                        " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) +
                        "\r\n";
  if (!send(request)) return {};
  return answer();
}

Answer WebClient::answer() {
  Answer answer;
  while (!answer.head.ends_with("\r\n\r\n")) {
    const auto byte = take(1);
    if (!byte) return {};
    answer.head += *byte;
  }
  answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
  const std::string length = answer.field("Content-Length");
  if (!length.empty()) {
    answer.body = take(std::stoul(length)).value_or("(cut off)");
    return answer;
  }
  if (answer.field("Transfer-Encoding") != "chunked") return answer;
  for (;;) {
    std::string line;
    while (!line.ends_with("\r\n")) {
      const auto byte = take(1);
      if (!byte) {
        answer.body += "(cut off)";
        return answer;
      }
      line += *byte;
    }
    const std::size_t size = std::stoul(line, nullptr, 16);
    answer.body += take(size).value_or("(cut off)");
    take(2);
    if (size == 0) return answer;
  }
}

bool WebClient::upgrade(std::string_view path) {
  const Answer answer = get(path,
                            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  return answer.status == 101 &&
         answer.field("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
}

bool WebClient::sendFrame(unsigned opcode, std::string_view data) {
  constexpr std::string_view kMask = "\x12\x34\x56\x78";
  std::string frame{static_cast<char>(opcode)};
  if (data.size() < 126) {
    frame += static_cast<char>(0x80 | data.size());
  } else if (data.size() < 65536) {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(data.size() >> 8);
    frame += static_cast<char>(data.size());
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int shift = 56; shift >= 0; shift -= 8) {
      frame += static_cast<char>(data.size() >> shift);
    }
  }
  frame += kMask;
  for (std::size_t i = 0; i < data.size(); ++i) {
    frame += static_cast<char>(data[i] ^ kMask[i % 4]);
  }
  return send(frame);
}

std::optional<WebClient::Frame> WebClient::frame() {
  const auto head = take(2);
  if (!head) return std::nullopt;
  Frame frame;
  frame.opcode = static_cast<unsigned char>((*head)[0]);
  std::size_t size = static_cast<unsigned char>((*head)[1]);
  if (size >= 126) {
    const auto bytes = take(size == 126 ? 2 : 8);
    if (!bytes) return std::nullopt;
    size = 0;
    for (const char c : *bytes)
      size = size << 8 | static_cast<unsigned char>(c);
  }
  const auto data = take(size);
  if (!data) return std::nullopt;
  frame.data = *data;
  return frame;
}

std::string WebClient::text() {
  const auto next = frame();
  if (!next) return "end";
  if (next->opcode != 0x88) return next->data;
  if (next->data.size() < 2) return "closed";
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(next->data[i]));
  };
  return "closed " + std::to_string(byte(0) << 8 | byte(1));
}

}  // namespace brigade::test
