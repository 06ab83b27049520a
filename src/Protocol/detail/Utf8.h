#pragma once

// Utf8: whether bytes that arrive in pieces are UTF-8 (RFC 3629, 4: nothing
// overlong, no surrogates, nothing above U+10FFFF). It fails with the piece
// that holds the first byte that no text can go on with. A value of one byte.

#include <cstdint>
#include <string_view>

#include "brigade/Protocol/detail/Mask.h"

namespace brigade::detail {

class Utf8 {
 public:
  Utf8() = default;
  // Goes on where another one stopped: state() of it.
  explicit Utf8(std::uint8_t state) : state_(state) {}

  // Looks at `bytes` as if they were unmasked with `key`. False once any byte
  // so far was wrong.
  bool feed(std::string_view bytes, MaskKey key = {});
  // Whether no character is cut off where the bytes end.
  bool complete() const { return state_ == 0; }
  std::uint8_t state() const { return state_; }

 private:
  std::uint8_t state_ = 0;
};

inline bool isUtf8(std::string_view text) {
  Utf8 utf8;
  return utf8.feed(text) && utf8.complete();
}

}  // namespace brigade::detail
