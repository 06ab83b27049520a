#pragma once

// ConnectionId: names a connection of one worker process for as long as one
// likes. A closed connection's id finds nothing, even after its place in the
// table was taken by another. Zero-initialised it names none.

#include <compare>
#include <cstdint>

namespace brigade {

struct ConnectionId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // of the place; 0 is never used

  auto operator<=>(const ConnectionId&) const = default;
  // For printing, for maps and to tell other processes: unique within a worker
  // process. of() is the way back.
  std::uint64_t value() const {
    return (std::uint64_t{generation} << 32) | index;
  }
  static ConnectionId of(std::uint64_t value) {
    return {static_cast<std::uint32_t>(value),
            static_cast<std::uint32_t>(value >> 32)};
  }
};

}  // namespace brigade
