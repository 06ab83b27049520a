#include "Exchange.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace brigade::bench {

namespace {

constexpr time_t kPatienceSeconds = 10;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kLengthField = "\r\nContent-Length: ";

// Of the whole answer; npos while its head is not there.
std::size_t sizeOf(std::string_view answer) {
  const std::size_t end = answer.find(kHeadEnd);
  if (end == std::string_view::npos) return end;
  const std::string_view head = answer.substr(0, end);
  std::size_t length = 0;
  const std::size_t field = head.find(kLengthField);
  if (field != std::string_view::npos) {
    const char* const digits = head.data() + field + kLengthField.size();
    std::from_chars(digits, head.data() + head.size(), length);
  }
  return end + kHeadEnd.size() + length;
}

}  // namespace

std::string exchange(int socket, std::string_view request, int status) {
  const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (send(socket, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    throw std::system_error(errno, std::generic_category(), "send");
  }
  std::string answer;
  while (answer.size() < sizeOf(answer)) {
    std::array<char, 4096> buffer;
    const ssize_t got = recv(socket, buffer.data(), buffer.size(), 0);
    if (got < 0)
      throw std::system_error(errno, std::generic_category(), "recv");
    if (got == 0) throw std::runtime_error("the server closed a connection");
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (answer.size() != sizeOf(answer) ||
      !answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) {
    throw std::runtime_error("not an answer with " + std::to_string(status) +
                             ": " + answer);
  }
  return answer;
}

}  // namespace brigade::bench
