#pragma once

// CodecRun: a codec under the caller that a connection is, without a socket.
// It gets a stream in pieces, holds every promise of ProtocolInterface.h to
// the codec, and notes what came out. It has no opinion on tests: a broken
// promise is a text, which CodecProperty.h turns into a failure and the fuzz
// targets into an abort.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Protocol/ProtocolInterface.h"
#include "tests/support/GuardedBytes.h"

namespace brigade::testing {

// What a message is, as a text: two are equal when their texts are.
using Describe = std::function<std::string(const Message&)>;

inline std::string dataOf(const Message& message) {
  return std::string(message.data());
}

// What the codec says to a peer that is refused.
inline std::string lastWords(ProtocolInterface& codec, Refusal refusal) {
  Output out;
  codec.refuse(refusal, out);
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

// What a codec made of a stream.
struct CodecResult {
  std::vector<std::string> messages;
  std::string malformed;  // the reason; empty when there was none
  std::size_t rest = 0;   // bytes of a packet that is not yet whole

  bool operator==(const CodecResult&) const = default;
};

// Where a run shows a codec its bytes; many runs use the same in turn.
struct CodecMemory {
  GuardedBytes input;
  GuardedBytes packet;
};

class CodecRun {
 public:
  CodecRun(ProtocolInterface& codec, CodecMemory& memory,
           Describe describe = dataOf)
      : codec_(codec), memory_(memory), describe_(std::move(describe)) {}

  // The next bytes of the stream; ignored once it was malformed.
  void feed(std::string_view piece) {
    stream_ += piece;
    while (!pending().empty() && result_.malformed.empty() && step()) {
    }
    stream_.erase(0, begin_);
    begin_ = 0;
    result_.rest = stream_.size();
  }

  const CodecResult& result() const { return result_; }
  // Of a packet that is not yet whole.
  const std::string& left() const { return stream_; }
  // The length of each packet, in order.
  const std::vector<std::size_t>& packets() const { return packets_; }
  // The promise of ProtocolInterface.h that the codec broke; empty if none.
  const std::string& broken() const { return broken_; }
  // When the codec answered kMore: how many bytes of which packet it had.
  struct Wait {
    std::size_t packet;
    std::size_t bytes;
  };
  const std::vector<Wait>& waits() const { return waits_; }

 private:
  std::string_view pending() const {
    return std::string_view(stream_).substr(begin_);
  }

  // One packet. False: it is not whole.
  bool step() {
    const std::span<char> bytes = memory_.input.place(pending());
    const Packet packet = codec_.input({bytes.data(), bytes.size()});
    switch (packet.kind) {
      case Packet::Kind::kWhole:
      case Packet::Kind::kSilent:
        return take(packet);
      case Packet::Kind::kMore:
        wait(packet.length);
        return false;
      case Packet::Kind::kMalformed:
        break;
    }
    if (packet.reason == nullptr) breaks("malformed without a reason");
    result_.malformed = packet.reason == nullptr ? "" : packet.reason;
    return false;
  }

  bool take(const Packet& found) {
    const std::size_t length = found.length;
    if (length == 0 || length > pending().size()) {
      breaks("a whole packet of " + std::to_string(length) + " of " +
             std::to_string(pending().size()) + " bytes");
      return false;
    }
    if (announced_ != 0 && announced_ != length) {
      breaks("a packet of " + std::to_string(length) + " bytes, announced as " +
             std::to_string(announced_));
    }
    announced_ = 0;
    const std::string_view packet = pending().substr(0, length);
    if (found.kind == Packet::Kind::kWhole && !decode(packet)) return false;
    packets_.push_back(length);
    begin_ += length;
    return true;
  }

  // False: it is malformed.
  bool decode(std::string_view packet) {
    try {
      result_.messages.push_back(
          describe_(codec_.decode(memory_.packet.place(packet))));
    } catch (const ProtocolError& e) {
      result_.malformed = e.what();
    }
    return result_.malformed.empty();
  }

  void wait(std::size_t length) {
    if (length != 0 && length <= pending().size()) {
      breaks("more wanted for a packet of " + std::to_string(length) +
             " bytes, and " + std::to_string(pending().size()) + " are there");
    }
    if (announced_ != 0 && length != announced_) {
      breaks("another length announced for the same packet");
    }
    announced_ = length;
    waits_.push_back({packets_.size(), pending().size()});
  }

  void breaks(std::string promise) {
    if (broken_.empty()) broken_ = std::move(promise);
  }

  ProtocolInterface& codec_;
  CodecMemory& memory_;
  Describe describe_;
  std::string stream_;
  std::size_t begin_ = 0;  // of what no message was made of yet
  std::size_t announced_ = 0;
  CodecResult result_;
  std::vector<std::size_t> packets_;
  std::vector<Wait> waits_;
  std::string broken_;
};

// The first kMore of `run` that came although `packets`, the lengths that
// another run found, say that the packet was whole; empty if none.
inline std::string needlessWait(const CodecRun& run,
                                const std::vector<std::size_t>& packets) {
  for (const CodecRun::Wait& wait : run.waits()) {
    if (wait.packet < packets.size() && wait.bytes >= packets[wait.packet]) {
      return "more wanted after all " + std::to_string(packets[wait.packet]) +
             " bytes of packet " + std::to_string(wait.packet);
    }
  }
  return "";
}

}  // namespace brigade::testing
