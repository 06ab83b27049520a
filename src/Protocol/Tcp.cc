#include "brigade/Protocol/Tcp.h"

namespace brigade {

Packet Tcp::input(std::string_view bytes) {
  return Packet::whole(bytes.size());
}

Message Tcp::decode(std::string_view packet) { return packet; }

void Tcp::encode(const Message& message, Output& out) {
  out.append(message.data());
}

}  // namespace brigade
