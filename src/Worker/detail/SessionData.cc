#include "brigade/Worker/detail/SessionData.h"

#include <cstdint>

namespace brigade::detail {
namespace {

constexpr std::size_t kLengthSize = 4;

void appendLength(std::string& bytes, std::size_t length) {
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    bytes += static_cast<char>(length >> shift & 0xFF);
  }
}

// From the front of `rest`, where kLengthSize bytes are.
std::size_t takeLength(std::string_view& rest) {
  std::size_t length = 0;
  for (const char c : rest.substr(0, kLengthSize)) {
    length = length << 8 | static_cast<unsigned char>(c);
  }
  rest.remove_prefix(kLengthSize);
  return length;
}

}  // namespace

std::string encodeSession(const HttpSession::Values& values) {
  std::size_t size = 0;
  for (const auto& [key, value] : values) size += encodedSize(key, value);
  std::string bytes;
  bytes.reserve(size);
  for (const auto& [key, value] : values) {
    appendLength(bytes, key.size());
    appendLength(bytes, value.size());
    bytes.append(key).append(value);
  }
  return bytes;
}

std::optional<HttpSession::Values> decodeSession(std::string_view bytes) {
  HttpSession::Values values;
  while (!bytes.empty()) {
    if (bytes.size() < 2 * kLengthSize) return std::nullopt;
    const std::size_t key = takeLength(bytes);
    const std::size_t value = takeLength(bytes);
    if (key > bytes.size() || value > bytes.size() - key) return std::nullopt;
    values.insert_or_assign(std::string(bytes.substr(0, key)),
                            std::string(bytes.substr(key, value)));
    bytes.remove_prefix(key + value);
  }
  return values;
}

}  // namespace brigade::detail
