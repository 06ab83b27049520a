#include "brigade/Protocol/detail/Utf8.h"

#include <array>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace brigade::detail {
namespace {

// The automaton. A state is what must come next:
//
//   kText  the first byte of a character     kE0  A0..BF, then 1 more
//   k1     80..BF                            kED  80..9F, then 1 more
//   k2     80..BF, then 1 more               kF0  90..BF, then 2 more
//   k3     80..BF, then 2 more               kF4  80..8F, then 2 more
//   kBad   nothing: it stays bad
//
// Its value is a number of bits: the row of a byte holds, shifted by each
// state, the state that follows. One shift a byte is all that depends on the
// byte before.
enum State : std::uint8_t {
  kText = 0,
  kBad = 6,
  k1 = 12,
  k2 = 18,
  k3 = 24,
  kE0 = 30,
  kED = 36,
  kF0 = 42,
  kF4 = 48
};

constexpr State first(unsigned byte) {
  if (byte < 0x80) return kText;
  if (byte < 0xC2) return kBad;  // a continuation, or overlong
  if (byte < 0xE0) return k1;
  if (byte == 0xE0) return kE0;
  if (byte == 0xED) return kED;
  if (byte < 0xF0) return k2;
  if (byte == 0xF0) return kF0;
  if (byte < 0xF4) return k3;
  return byte == 0xF4 ? kF4 : kBad;
}

constexpr State within(unsigned byte, unsigned low, unsigned high, State next) {
  return byte >= low && byte <= high ? next : kBad;
}

constexpr State next(State state, unsigned byte) {
  switch (state) {
    case kText:
      return first(byte);
    case kBad:
      return kBad;
    case k1:
      return within(byte, 0x80, 0xBF, kText);
    case k2:
      return within(byte, 0x80, 0xBF, k1);
    case k3:
      return within(byte, 0x80, 0xBF, k2);
    case kE0:
      return within(byte, 0xA0, 0xBF, k1);
    case kED:
      return within(byte, 0x80, 0x9F, k1);
    case kF0:
      return within(byte, 0x90, 0xBF, k2);
    case kF4:
      return within(byte, 0x80, 0x8F, k2);
  }
  return kBad;
}

constexpr std::array<std::uint64_t, 256> makeRows() {
  std::array<std::uint64_t, 256> rows{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (const State state : {kText, kBad, k1, k2, k3, kE0, kED, kF0, kF4}) {
      rows[byte] |= std::uint64_t{next(state, byte)} << state;
    }
  }
  return rows;
}

constexpr std::array<std::uint64_t, 256> kRows = makeRows();

std::uint64_t step(std::uint64_t state, char byte) {
  return kRows[static_cast<unsigned char>(byte)] >> (state & 63);
}

constexpr std::uint64_t kHighBits = 0x8080808080808080;

template <typename Word>
bool isAscii(const char* at, Word key) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return ((word ^ key) & static_cast<Word>(kHighBits)) == 0;
}

// Whether fewer than 16 bytes are ASCII; what is shorter than 4 is not asked.
bool isShortAscii(std::string_view bytes, MaskKey key) {
  const char* begin = bytes.data();
  if (bytes.size() >= 8) {
    const std::size_t last = bytes.size() - 8;
    return isAscii(begin, key.twice()) &&
           isAscii(begin + last, key.from(last).twice());
  }
  if (bytes.size() < 4) return bytes.empty();
  const std::size_t last = bytes.size() - 4;
  return isAscii(begin, key.bytes) &&
         isAscii(begin + last, key.from(last).bytes);
}

#ifdef __SSE2__
using Key16 = __m128i;

Key16 sixteen(MaskKey key) {
  return _mm_set1_epi32(static_cast<int>(key.bytes));
}

__m128i load(const char* at, Key16 key) {
  return _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)),
                       key);
}

bool isAscii16(const char* at, Key16 key) {
  return _mm_movemask_epi8(load(at, key)) == 0;
}

bool isAscii64(const char* at, Key16 key) {
  const __m128i any =
      _mm_or_si128(_mm_or_si128(load(at, key), load(at + 16, key)),
                   _mm_or_si128(load(at + 32, key), load(at + 48, key)));
  return _mm_movemask_epi8(any) == 0;
}
#else
using Key16 = std::uint64_t;

Key16 sixteen(MaskKey key) { return key.twice(); }

bool isAscii16(const char* at, Key16 key) {
  return isAscii(at, key) && isAscii(at + 8, key);
}

bool isAscii64(const char* at, Key16 key) {
  return isAscii16(at, key) && isAscii16(at + 16, key) &&
         isAscii16(at + 32, key) && isAscii16(at + 48, key);
}
#endif

std::uint64_t step16(std::uint64_t state, const char* at, MaskKey key) {
  char block[16];
  unmask(at, block, sizeof block, key);
  for (const char byte : block) state = step(state, byte);
  return state & 63;
}

}  // namespace

bool Utf8::feed(std::string_view bytes, MaskKey key) {
  std::uint64_t state = state_;
  const Key16 key16 = sixteen(key);
  while (bytes.size() >= 16) {
    const char* at = bytes.data();
    if (state == kText && bytes.size() >= 64 && isAscii64(at, key16)) {
      bytes.remove_prefix(64);
      continue;
    }
    if (state != kText || !isAscii16(at, key16)) state = step16(state, at, key);
    bytes.remove_prefix(16);
  }
  if (state != kText || !isShortAscii(bytes, key)) {
    char block[16];
    unmask(bytes.data(), block, bytes.size(), key);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      state = step(state, block[i]);
    state &= 63;
  }
  state_ = static_cast<std::uint8_t>(state);
  return state != kBad;
}

}  // namespace brigade::detail
