#include "brigade/Protocol/Tcp.h"

namespace brigade {

Packet Tcp::input(std::string_view bytes) {
  return Packet::whole(bytes.size());
}

Message Tcp::decode(std::span<char> packet) {
  return std::string_view(packet.data(), packet.size());
}

void Tcp::encode(const Message& message, Output& out) {
  out.append(message.data());
}

}  // namespace brigade
