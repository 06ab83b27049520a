#pragma once

// Masking of WebSocket payloads (RFC 6455, 5.3): byte i is xored with byte
// i mod 4 of the key.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace brigade::detail {

// The four bytes of a key as they lie in memory; the default masks nothing.
struct MaskKey {
  std::uint32_t bytes = 0;

  static MaskKey at(const char* position) {
    MaskKey key;
    std::memcpy(&key.bytes, position, sizeof key.bytes);
    return key;
  }
  // The key for what begins `offset` bytes later.
  MaskKey from(std::size_t offset) const {
    const int bits = static_cast<int>(offset & 3) * 8;
    MaskKey key;
    key.bytes = std::endian::native == std::endian::little
                    ? std::rotr(bytes, bits)
                    : std::rotl(bytes, bits);
    return key;
  }
  std::uint64_t twice() const { return std::uint64_t{bytes} << 32 | bytes; }
};

// Writes `size` bytes at `from`, xored with the key, to `to`: the same place
// or one that does not overlap.
void unmask(const char* from, char* to, std::size_t size, MaskKey key);

}  // namespace brigade::detail
