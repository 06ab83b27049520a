#pragma once

// ProtocolInterface: a codec cuts received bytes into packets and turns
// messages into bytes. Pure: it sees no socket and no clock. One object per
// connection, made by the registry's factory, so a codec can hold state.
// The caller feeds it: input() with all bytes not yet consumed, and after each
// whole packet decode() with exactly that packet.

#include <cstddef>
#include <string_view>

#include "brigade/Protocol/Message.h"
#include "brigade/Protocol/Output.h"

namespace brigade {

// What input() found at the start of the bytes.
struct Packet {
  enum class Kind : unsigned char { kWhole, kMore, kMalformed };

  // The first `length` bytes are one whole packet; 1 <= length <= the bytes.
  static Packet whole(std::size_t length) {
    return {Kind::kWhole, length, nullptr};
  }
  // Not yet whole. `length` is the packet's full length where the codec
  // already knows it (it is checked against maxPackageSize before memory is
  // spent), else 0.
  static Packet more(std::size_t length = 0) {
    return {Kind::kMore, length, nullptr};
  }
  // The connection ends; `reason` goes to onError and the log. Static text.
  static Packet malformed(const char* reason) {
    return {Kind::kMalformed, 0, reason};
  }

  Kind kind;
  std::size_t length;
  const char* reason;
};

class ProtocolInterface {
 public:
  virtual ~ProtocolInterface() = default;

  // `bytes` begins where the previous packet ended and is never empty. When
  // it answered kMore, the next call sees the same bytes at any address, as a
  // rule with more behind them (none when receiving was paused meanwhile).
  virtual Packet input(std::string_view bytes) = 0;

  // `packet` is what input() called whole. The message may point into it and
  // into the codec. May throw: the connection ends, as with kMalformed.
  virtual Message decode(std::string_view packet) = 0;

  // Appends the packet that carries `message`.
  virtual void encode(const Message& message, Output& out) = 0;
};

}  // namespace brigade
