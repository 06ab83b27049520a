#include "brigade/Protocol/Frame.h"

#include <stdexcept>
#include <string>

namespace brigade {
namespace {

std::size_t readLength(std::string_view header) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < Frame::kHeader; ++i) {
    length = length << 8 | static_cast<unsigned char>(header[i]);
  }
  return length;
}

}  // namespace

Packet Frame::input(std::string_view bytes) {
  if (bytes.size() < kHeader) return Packet::more();
  const std::size_t length = readLength(bytes);
  if (length < kHeader) {
    return Packet::malformed("a frame shorter than its own header");
  }
  return length <= bytes.size() ? Packet::whole(length) : Packet::more(length);
}

Message Frame::decode(std::span<char> packet) {
  return std::string_view(packet.data(), packet.size()).substr(kHeader);
}

void Frame::encode(const Message& message, Output& out) {
  const std::string_view data = message.data();
  if (data.size() > kMaxMessage) {
    throw std::length_error("a message of " + std::to_string(data.size()) +
                            " bytes fits no frame (4 GiB)");
  }
  const std::size_t length = kHeader + data.size();
  const char header[kHeader] = {
      static_cast<char>(length >> 24), static_cast<char>(length >> 16),
      static_cast<char>(length >> 8), static_cast<char>(length)};
  out.append(std::string_view(header, kHeader));
  out.append(data);
}

}  // namespace brigade
