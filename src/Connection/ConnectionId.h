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
  // For printing and for maps: unique within a worker process.
  std::uint64_t value() const {
    return (std::uint64_t{generation} << 32) | index;
  }
};

}  // namespace brigade
