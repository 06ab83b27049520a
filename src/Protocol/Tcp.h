#pragma once

// Tcp: no protocol at all. What one read of the socket brought is one message,
// so a message says nothing about what the peer wrote in one piece.

#include <optional>
#include <string>

#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {

class Tcp : public ProtocolInterface {
 public:
  // Never malformed and never more.
  Packet input(std::string_view bytes) override;
  Message decode(std::span<char> packet) override;
  // Nothing at all for an empty message.
  void encode(const Message& message, Output& out) override;
  // Nothing: all is in the bytes.
  std::optional<std::string> save() const override { return std::string(); }
};

}  // namespace brigade
