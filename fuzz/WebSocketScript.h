#pragma once

// WebSocketScript: an input of the fuzzer read as frames that are mostly in
// order, so that a fuzzer, which cannot guess masks and lengths, gets behind
// them. It begins as CodecFuzz.h says; then, for each frame:
//
//   +----------+---------+-----------------+
//   |  first   |  form   |  payload        |
//   +----------+---------+-----------------+
//    FIN, RSV,  kLength: how long; 0x3F: the bytes behind it as they are
//    opcode     kWide: a length in more bytes than it takes
//               kPlain: not masked

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "brigade/Protocol/detail/Mask.h"
#include "fuzz/CodecFuzz.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade::fuzz {

// What a payload becomes before it is masked, given the frame's first byte.
using Transform = std::function<std::string(unsigned, std::string_view)>;

class WebSocketScript {
 public:
  static constexpr unsigned kLength = 0x3F;
  static constexpr unsigned kWide = 0x40;
  static constexpr unsigned kPlain = 0x80;

  // For CodecFuzz::run().
  static std::string stream(std::string_view script,
                            const Transform& transform = {}) {
    if (script.empty()) return {};
    const std::size_t count =
        std::min(static_cast<unsigned char>(script[0]) % CodecFuzz::kMaxCuts,
                 (script.size() - 1) / 2);
    std::string bytes(script.substr(0, 1 + 2 * count));
    bytes[0] = static_cast<char>(count);
    script.remove_prefix(bytes.size());
    while (script.size() >= 2) addFrame(script, bytes, transform);
    return bytes;
  }

 private:
  static void addFrame(std::string_view& script, std::string& bytes,
                       const Transform& transform) {
    const auto first = static_cast<unsigned char>(script[0]);
    const auto form = static_cast<unsigned char>(script[1]);
    script.remove_prefix(2);
    if (form == kLength) {
      bytes += script;
      script = {};
      return;
    }
    // Up to 62 bytes as they are, or many more for a few.
    std::string payload(script.substr(0, form & kLength));
    script.remove_prefix(payload.size());
    if ((form & kLength) > 56) payload.append(form * 2U, 'x');
    if (transform) payload = transform(first, payload);
    bytes += static_cast<char>(first);
    const unsigned masked = (form & kPlain) != 0 ? 0 : 0x80;
    std::string length = testing::frameLength(payload.size(), masked);
    if ((form & kWide) != 0 && length.size() == 1) {
      length = {static_cast<char>(masked | 126), '\0', length[0]};
    }
    bytes += length;
    const std::string key = {static_cast<char>(payload.size()), '\x9c', '\x47',
                             static_cast<char>(bytes.size())};
    if (masked != 0) {
      bytes += key;
      detail::unmask(payload.data(), payload.data(), payload.size(),
                     detail::MaskKey::at(key.data()));
    }
    bytes += payload;
  }
};

}  // namespace brigade::fuzz
