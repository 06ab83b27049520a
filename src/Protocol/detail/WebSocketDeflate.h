#pragma once

// What codecs of permessage-deflate keep: SharedDeflate, one a loop, and
// WebSocketDeflate, one a connection that agreed on compression. The streams
// are made when they are first needed.

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "brigade/Protocol/WebSocketCompression.h"
#include "brigade/Protocol/detail/Buffer.h"
#include "brigade/Protocol/detail/Deflate.h"

namespace brigade::detail {

struct SharedDeflate {
  std::array<std::unique_ptr<Deflater>, 16> deflaters;  // by window bits
  std::unique_ptr<Inflater> inflater;
  Buffer packed;  // the message being encoded

  // The message by itself, for who has a window of so many bits.
  std::string_view pack(std::string_view message, int windowBits,
                        const WebSocketCompression& settings) {
    auto& deflater = deflaters.at(static_cast<std::size_t>(windowBits));
    if (!deflater) deflater = std::make_unique<Deflater>(windowBits, settings);
    packed.clear();
    deflater->deflate(message, WebSocketContext::kNone, packed);
    return packed.view();
  }
  // Of what was packed; memory of that size is not kept.
  void forgetLarge() {
    if (packed.capacity() > kKeep) packed = {};
  }

 private:
  static constexpr std::size_t kKeep = 64 << 10;
};

struct WebSocketDeflate {
  WebSocketAgreement agreed;
  // With context takeover only.
  std::unique_ptr<Deflater> deflater;
  std::unique_ptr<Inflater> inflater;
  // The peer's window holds what `deflater` has not seen, or the other way
  // round: the next message refers to none before it.
  bool startsAnew = false;
};

}  // namespace brigade::detail
