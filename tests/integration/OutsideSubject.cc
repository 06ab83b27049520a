// A server of which loop, protocol and callbacks are the program's own, with
// nothing of brigade's but its public header. It answers a netstring,
// "5:hello,", with the same one, and these otherwise:
//
//   loop      the name of its event loop      pid      its process
//   tick MS   "tick", so much later           big N    N bytes
//
// Its protocol finds no packet in what begins with a letter, throws when it is
// asked for one that begins with '!', and takes none that holds a zero byte.

#include <brigade/brigade.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/integration/support/PollLoop.h"

namespace {

class Netstring final : public brigade::ProtocolInterface {
  static constexpr std::size_t kLongest = 1'000'000'000;

 public:
  brigade::Packet input(std::string_view bytes) override {
    using brigade::Packet;
    if (bytes[0] == '!') throw std::runtime_error("the codec has stumbled");
    std::size_t size = 0;
    const char* const end = bytes.data() + bytes.size();
    const auto [stop, error] = std::from_chars(bytes.data(), end, size);
    if (error != std::errc())
      return Packet::malformed("a netstring of no size");
    if (stop == end) return Packet::more();
    const auto head = static_cast<std::size_t>(stop - bytes.data()) + 1;
    if (*stop != ':') return Packet::malformed("a size without its colon");
    if (size > kLongest) return Packet::malformed("a size of nothing that is");
    const std::size_t whole = head + size + 1;
    if (bytes.size() < whole) return Packet::more(whole);
    if (bytes[whole - 1] != ',') return Packet::malformed("no comma");
    return Packet::whole(whole);
  }
  brigade::Message decode(std::span<char> packet) override {
    const std::string_view bytes(packet.data(), packet.size());
    const auto head = bytes.find(':') + 1;
    const auto text = bytes.substr(head, bytes.size() - head - 1);
    if (text.find('\0') != std::string_view::npos) {
      throw brigade::ProtocolError("a zero byte in a netstring");
    }
    return text;
  }
  void encode(const brigade::Message& message, brigade::Output& out) override {
    out.append(std::to_string(message.data().size()) + ":");
    out.append(message.data());
    out.append(",");
  }
};

class Outside final : public brigade::Worker {
 public:
  Outside() : Worker("netstring://127.0.0.1:0") {
    name = "outside";
    maxPackageSize = 1000;
    registerProtocol("netstring", [] { return std::make_unique<Netstring>(); });
    registerEventLoop(
        "mine", [] { return std::make_unique<brigade::test::PollLoop>(); });
    event = "mine";
  }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& message) override {
    const std::string text(message.data());
    if (text == "loop") {
      connection.send(loop().name());
    } else if (text == "pid") {
      connection.send(std::to_string(::getpid()));
    } else if (text.starts_with("tick ")) {
      addTimer(std::chrono::milliseconds(std::stoi(text.substr(5))),
               brigade::Repeat::kOnce, [this, id = connection.id()] {
                 if (auto* waiting = find(id)) waiting->send("tick");
               });
    } else if (text.starts_with("big ")) {
      connection.send(std::string(std::stoul(text.substr(4)), 'x'));
    } else {
      connection.send(message);
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  Outside outside;
  return brigade::run(argc, argv, {&outside});
}
