#pragma once

// HttpScan: finds, 16 bytes at a time, the first byte that ends a token, a
// request target or a field's value. Never reads outside of the bytes that it
// is given: at their end it looks once more at the last 16, shifted.

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace brigade::detail {

inline constexpr std::size_t kScanWidth = 16;

inline __m128i scanLoad(const char* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// One bit a byte, the first byte's lowest.
using HttpMask = std::uint32_t;

inline HttpMask maskOf(__m128i bytes) {
  return static_cast<HttpMask>(_mm_movemask_epi8(bytes));
}

// Unsigned `bytes` <= `most`.
inline __m128i atMost(__m128i bytes, char most) {
  return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(most)), bytes);
}

inline __m128i equals(__m128i bytes, char value) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(value));
}

// Not one of [A-Za-z0-9_-], of which nearly every field name consists.
struct EndOfPlainName {
  static constexpr char kUsual = ':';
  static HttpMask in(__m128i bytes) {
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i letters =
        atMost(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 'z' - 'a');
    const __m128i digits =
        atMost(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), '9' - '0');
    const __m128i others = _mm_or_si128(equals(bytes, '-'), equals(bytes, '_'));
    const __m128i all = _mm_or_si128(_mm_or_si128(letters, digits), others);
    return maskOf(all) ^ 0xFFFF;
  }
  static bool is(char c) {
    const char letter = static_cast<char>(c | 0x20);
    return !((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_');
  }
};

// Not one of [A-Za-z0-9.-].
struct EndOfPlainHost {
  static HttpMask in(__m128i bytes) {
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i letters =
        atMost(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 'z' - 'a');
    const __m128i rest =
        atMost(_mm_sub_epi8(bytes, _mm_set1_epi8('-')), '9' - '-');
    // The one byte between '.' and '0'.
    const __m128i slash = equals(bytes, '/');
    return maskOf(_mm_andnot_si128(slash, _mm_or_si128(letters, rest))) ^
           0xFFFF;
  }
};

inline HttpMask digitsOf(__m128i bytes) {
  return maskOf(atMost(_mm_sub_epi8(bytes, _mm_set1_epi8('0')), 9));
}

// Not visible ASCII, or one of the two that part a target.
struct EndOfTargetPart {
  static constexpr char kUsual = ' ';
  static HttpMask in(__m128i bytes) {
    // Signed: what is over 0x7F is below as well.
    const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x21));
    const __m128i rest =
        _mm_or_si128(equals(bytes, 0x7F),
                     _mm_or_si128(equals(bytes, '?'), equals(bytes, '#')));
    return maskOf(_mm_or_si128(low, rest));
  }
  static bool is(char c) {
    return static_cast<signed char>(c) < 0x21 || c == 0x7F || c == '?' ||
           c == '#';
  }
};

// A control character other than HTAB.
struct EndOfValue {
  static constexpr char kUsual = '\r';
  static HttpMask in(__m128i bytes) {
    const __m128i control =
        _mm_andnot_si128(equals(bytes, '\t'), atMost(bytes, 0x1F));
    return maskOf(_mm_or_si128(control, equals(bytes, 0x7F)));
  }
  static bool is(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  }
};

// Where the first end lies; `bytes` hold at least one. The usual one is found
// by itself, and that no other comes before is checked beside: what is read
// next waits only for the first, which takes half the time.
template <typename End>
inline int indexOfEnd(__m128i bytes, HttpMask ends, int shift) {
  const HttpMask usual = maskOf(equals(bytes, End::kUsual)) >> shift;
  if (usual == 0 || (ends & ((usual & (0 - usual)) - 1)) != 0) [[unlikely]] {
    return std::countr_zero(ends);
  }
  return std::countr_zero(usual);
}

// The first byte of [at, end) that is such an end, or `end`. `begin` is where
// readable bytes begin.
template <typename End>
inline const char* findEnd(const char* begin, const char* at, const char* end) {
  constexpr auto kWidth = static_cast<std::ptrdiff_t>(kScanWidth);
  for (; end - at >= kWidth; at += kWidth) {
    const __m128i bytes = scanLoad(at);
    const HttpMask ends = End::in(bytes);
    if (ends != 0) return at + indexOfEnd<End>(bytes, ends, 0);
  }
  if (end - begin >= kWidth) {
    const __m128i bytes = scanLoad(end - kWidth);
    const int shift = static_cast<int>(kWidth - (end - at));
    const HttpMask ends = End::in(bytes) >> shift;
    return ends != 0 ? at + indexOfEnd<End>(bytes, ends, shift) : end;
  }
  while (at != end && !End::is(*at)) ++at;
  return at;
}

}  // namespace brigade::detail
