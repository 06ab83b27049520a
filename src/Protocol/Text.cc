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

Message Text::decode(std::span<char> packet) {
  std::string_view line(packet.data(), packet.size() - 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

void Text::encode(const Message& message, Output& out) {
  out.append(message.data());
  out.append('\n');
}

}  // namespace brigade
