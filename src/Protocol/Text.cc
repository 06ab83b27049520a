#include "brigade/Protocol/Text.h"

#include <algorithm>

namespace brigade {

Packet Text::input(std::string_view bytes) {
  // Shorter than before only when maxPackageSize shrank in between.
  const std::size_t end = bytes.find('\n', std::min(scanned_, bytes.size()));
  if (end == std::string_view::npos) {
    scanned_ = bytes.size();
    return Packet::more();
  }
  scanned_ = 0;
  return Packet::whole(end + 1);
}

Message Text::decode(std::string_view packet) {
  packet.remove_suffix(1);
  if (packet.ends_with('\r')) packet.remove_suffix(1);
  return packet;
}

void Text::encode(const Message& message, Output& out) {
  out.append(message.data());
  out.append('\n');
}

}  // namespace brigade
