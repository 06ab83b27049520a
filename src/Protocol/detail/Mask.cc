#include "brigade/Protocol/detail/Mask.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace brigade::detail {
namespace {

template <typename Word>
void unmaskWord(const char* from, char* to, Word key) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  word ^= key;
  std::memcpy(to, &word, sizeof word);
}

#ifdef __SSE2__
void unmaskBlock(const char* from, char* to, __m128i key) {
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_xor_si128(block, key));
}

// Unmasks a multiple of 16 bytes, and says how many.
std::size_t unmaskBlocks(const char* from, char* to, std::size_t size,
                         MaskKey key) {
  const __m128i key16 = _mm_set1_epi32(static_cast<int>(key.bytes));
  std::size_t done = 0;
  for (; size - done >= 64; done += 64) {
    unmaskBlock(from + done, to + done, key16);
    unmaskBlock(from + done + 16, to + done + 16, key16);
    unmaskBlock(from + done + 32, to + done + 32, key16);
    unmaskBlock(from + done + 48, to + done + 48, key16);
  }
  for (; size - done >= 16; done += 16) {
    unmaskBlock(from + done, to + done, key16);
  }
  return done;
}
#else
std::size_t unmaskBlocks(const char*, char*, std::size_t, MaskKey) { return 0; }
#endif

}  // namespace

void unmask(const char* from, char* to, std::size_t size, MaskKey key) {
  // Every step but the last is a multiple of 4, so the key need not turn.
  std::size_t done = unmaskBlocks(from, to, size, key);
  for (; size - done >= 8; done += 8) {
    unmaskWord(from + done, to + done, key.twice());
  }
  if (size - done >= 4) {
    unmaskWord(from + done, to + done, key.bytes);
    done += 4;
  }
  char last[4];
  std::memcpy(last, &key.bytes, 4);
  for (std::size_t i = 0; done < size; ++i, ++done) {
    to[done] = static_cast<char>(from[done] ^ last[i]);
  }
}

}  // namespace brigade::detail
