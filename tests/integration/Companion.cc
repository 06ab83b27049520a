// A program under a master that uses its channel, well or badly. The number of
// the channel is its last argument. Before that:
//   talk FILE   says hi and appends what is answered to FILE, a line each
//   say EVENT DATA   says so once, then waits
//   count MS    says "count" and a number, one more each time
//   bad KIND    short | header | huge | noise | long | empty | descriptor
//   noise       10 MB of it, then exits with 4
//   flood       as many messages as are taken, for ever

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace {

bool say(int channel, std::string_view datagram) {
  return ::send(channel, datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
}

std::string message(const std::string& event, const std::string& data) {
  return event + '\0' + data;
}

std::string noise(std::size_t size) {
  static std::mt19937 random(1);
  std::string bytes(size, '\0');
  for (char& each : bytes) each = static_cast<char>(random());
  return bytes;
}

void talk(int channel, const std::string& file) {
  const char* const variable = std::getenv("BRIGADE_CHANNEL");
  const bool same = variable != nullptr && std::to_string(channel) == variable;
  say(channel, message("hi", same ? "there" : "no BRIGADE_CHANNEL"));
  std::string bytes(70000, '\0');
  for (;;) {
    const ssize_t n = ::recv(channel, bytes.data(), bytes.size(), 0);
    if (n <= 0) break;
    std::string text = bytes.substr(0, static_cast<std::size_t>(n));
    text[text.find('\0')] = ' ';
    std::ofstream(file, std::ios::app) << text << std::endl;
  }
}

void sayWithDescriptor(int channel) {
  std::string text = message("hi", "");
  iovec piece{text.data(), text.size()};
  alignas(cmsghdr) char rights[CMSG_SPACE(sizeof(int))];
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = rights;
  header.msg_controllen = sizeof rights;
  cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(part), &channel, sizeof channel);
  ::sendmsg(channel, &header, MSG_NOSIGNAL);
}

void misbehave(int channel, const std::string& kind) {
  if (kind == "short") {
    say(channel, "abc");
  } else if (kind == "header") {
    say(channel, std::string("\2\0\0\0", 4));
  } else if (kind == "huge") {
    say(channel, std::string("\xff\xff\xff\xff", 4));
  } else if (kind == "long") {
    say(channel, message("hi", std::string(64 * 1024 + 1, 'x')));
  } else if (kind == "empty") {
    say(channel, std::string(1, '\0'));
  } else if (kind == "descriptor") {
    sayWithDescriptor(channel);
  }
}

void count(int channel, int interval) {
  for (int i = 1; say(channel, message("count", std::to_string(i))); ++i) {
    ::poll(nullptr, 0, interval);
  }
}

[[noreturn]] void waitForEver() {
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string verb = argv[1];
  const int channel = std::atoi(argv[argc - 1]);
  if (verb == "talk") {
    talk(channel, argv[2]);
  } else if (verb == "say") {
    say(channel, message(argv[2], argv[3]));
  } else if (verb == "count") {
    count(channel, std::atoi(argv[2]));
  } else if (verb == "bad") {
    misbehave(channel, argv[2]);
  } else if (verb == "noise") {
    for (int i = 0; i < 1000; ++i) say(channel, noise(10'000));
    return 4;
  } else if (verb == "flood") {
    while (say(channel, message("drip", "x"))) {
    }
  }
  waitForEver();
}
