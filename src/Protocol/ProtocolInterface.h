#pragma once

// ProtocolInterface: a codec cuts received bytes into packets and turns
// messages into bytes. Pure: it sees no socket and no clock. One object per
// connection, made by the registry's factory, so a codec can hold state; one
// that holds none may serve them all.
// The caller feeds it: input() with all bytes not yet consumed, and after each
// whole packet decode() with exactly that packet.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "brigade/Protocol/Message.h"
#include "brigade/Protocol/Output.h"

namespace brigade {

// What input() found at the start of the bytes.
struct Packet {
  enum class Kind : std::uint8_t { kWhole, kSilent, kMore, kMalformed };

  // The first `length` bytes are one whole packet; 1 <= length <= the bytes.
  static Packet whole(std::size_t length) {
    return {Kind::kWhole, length, nullptr};
  }
  // The first `length` bytes are dealt with and carry no message for the
  // program: decode() is not called.
  static Packet silent(std::size_t length) {
    return {Kind::kSilent, length, nullptr};
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

  // The first `length` bytes are dealt with.
  bool isWhole() const { return kind == Kind::kWhole || kind == Kind::kSilent; }

  Kind kind;
  std::size_t length;
  const char* reason;
};

// What decode() throws when the packet's content is not what the protocol
// allows: the connection ends as with kMalformed.
class ProtocolError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Why a connection receives nothing more from its peer.
enum class Refusal : std::uint8_t { kMalformed, kTooLong, kTimeout };

class ProtocolInterface {
 public:
  virtual ~ProtocolInterface() = default;

  // `bytes` begins where the previous packet ended and is never empty. When
  // it answered kMore, the next call sees the same bytes at any address, as a
  // rule with more behind them (none when receiving was paused meanwhile).
  virtual Packet input(std::string_view bytes) = 0;

  // `packet` is what input() called whole. It lies in the connection's own
  // buffer, so a codec may decode in place. The message may point into it and
  // into the codec. Throws ProtocolError.
  virtual Message decode(std::span<char> packet) = 0;

  // Appends the packet that carries `message`. When it throws, what it has
  // appended is taken back.
  virtual void encode(const Message& message, Output& out) = 0;

  // Appends the last words to a peer that is refused, if the protocol has any.
  virtual void refuse(Refusal, Output&) {}

  // For a connection that another process goes on with: what a fresh codec
  // there needs besides the bytes that are not consumed yet, which its input()
  // sees again from their first one. None: it cannot be told, now or at all.
  virtual std::optional<std::string> save() const { return std::nullopt; }
  // Of a fresh codec, before anything else. Throws std::exception when save()
  // has not written it.
  virtual void restore(std::string_view /*saved*/) {}
};

}  // namespace brigade
