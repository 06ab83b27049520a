#pragma once

// Text: one message a line. A line ends with "\n"; a "\r" right before it
// belongs to the end as well, so that telnet and netcat both work. The message
// is the line without its end. Nothing is escaped: a message that holds "\n"
// reaches the peer as several lines, one that ends with "\r" loses it.

#include <cstddef>
#include <optional>
#include <string>

#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {

class Text : public ProtocolInterface {
 public:
  // Never malformed: maxPackageSize is what bounds a line that never ends.
  Packet input(std::string_view bytes) override;
  Message decode(std::span<char> packet) override;
  void encode(const Message& message, Output& out) override;
  // Nothing: all of an unfinished line is in its bytes.
  std::optional<std::string> save() const override { return std::string(); }

 private:
  // How far the unfinished line is known to hold no end: each byte is looked
  // at once, however small the reads are.
  std::size_t scanned_ = 0;
};

}  // namespace brigade
