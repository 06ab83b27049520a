#pragma once

// Frame: one message a frame, of any bytes, also of none.
//
//    0        1        2        3        4
//   +--------+--------+--------+--------+--------------------+
//   |  length of all of it, big-endian  |  length - 4 bytes  |
//   +--------+--------+--------+--------+--------------------+
//
// A frame says its length first, so one that is longer than maxPackageSize is
// refused before memory is spent on it.

#include <cstddef>
#include <optional>
#include <string>

#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {

class Frame : public ProtocolInterface {
 public:
  static constexpr std::size_t kHeader = 4;
  // The longest message that a frame can carry.
  static constexpr std::size_t kMaxMessage = 0xFFFFFFFF - kHeader;

  // Malformed: a length that does not even cover the header.
  Packet input(std::string_view bytes) override;
  Message decode(std::span<char> packet) override;
  // Throws std::length_error, and appends nothing, past kMaxMessage.
  void encode(const Message& message, Output& out) override;
  // Nothing: all is in the bytes.
  std::optional<std::string> save() const override { return std::string(); }
};

}  // namespace brigade
