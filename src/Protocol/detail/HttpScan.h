#pragma once

// HttpScan: finds the first byte that ends a field's name, a request target or
// a field's value, with SSE2 16 bytes at a time. Never reads outside of the
// bytes that it is given: at their end it looks once more at the last 16,
// shifted. isPlainHost() knows most hosts at one look; without SSE2 none, and
// the grammar decides.

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace brigade::detail {

#ifdef __SSE2__
inline constexpr std::ptrdiff_t kScanWidth = 16;

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

// Signed `bytes` from `first` to `last`, both ASCII: what is above `last` comes
// out negative.
inline __m128i within(__m128i bytes, char first, char last) {
  const __m128i moved =
      _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(0x7F - last)));
  return _mm_cmpgt_epi8(
      moved, _mm_set1_epi8(static_cast<char>(0x7F - last + first - 1)));
}

// ASCII from `first` on, but for DEL.
inline __m128i asciiFrom(__m128i bytes, char first) {
  return within(bytes, first, 0x7E);
}

inline __m128i lettersOf(__m128i bytes) {
  return within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
}
#endif

// Not one of [A-Za-z-], of which nearly every field name consists.
struct EndOfPlainName {
#ifdef __SSE2__
  static HttpMask in(__m128i bytes) {
    return maskOf(_mm_or_si128(lettersOf(bytes), equals(bytes, '-'))) ^ 0xFFFF;
  }
#endif
  static bool is(char c) {
    const char letter = static_cast<char>(c | 0x20);
    return !((letter >= 'a' && letter <= 'z') || c == '-');
  }
};

// Not visible ASCII, or one of the two that part a target.
struct EndOfTargetPart {
#ifdef __SSE2__
  static HttpMask in(__m128i bytes) {
    const __m128i parts = _mm_or_si128(equals(bytes, '?'), equals(bytes, '#'));
    return maskOf(_mm_andnot_si128(parts, asciiFrom(bytes, '!'))) ^ 0xFFFF;
  }
#endif
  static bool is(char c) {
    return static_cast<signed char>(c) < 0x21 || c == 0x7F || c == '?' ||
           c == '#';
  }
};

// Not one of the bytes of which nearly every value consists: printable ASCII.
struct EndOfPlainValue {
#ifdef __SSE2__
  static HttpMask in(__m128i bytes) {
    return maskOf(asciiFrom(bytes, ' ')) ^ 0xFFFF;
  }
#endif
  static bool is(char c) { return c < ' ' || c > 0x7E; }
};

// A control character other than HTAB.
struct EndOfValue {
#ifdef __SSE2__
  static HttpMask in(__m128i bytes) {
    const __m128i control =
        _mm_andnot_si128(equals(bytes, '\t'), atMost(bytes, 0x1F));
    return maskOf(_mm_or_si128(control, equals(bytes, 0x7F)));
  }
#endif
  static bool is(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  }
};

// The first end of either kind.
struct LineEnds {
  const char* name;
  const char* value;
};

#ifdef __SSE2__

// The first byte of [at, end) that is such an end, or `end`. `begin` is where
// readable bytes begin.
template <typename End>
inline const char* findEnd(const char* begin, const char* at, const char* end) {
  for (; end - at >= kScanWidth; at += kScanWidth) {
    const HttpMask ends = End::in(scanLoad(at));
    if (ends != 0) return at + std::countr_zero(ends);
  }
  if (end - begin >= kScanWidth) {
    const auto shift = kScanWidth - (end - at);
    const HttpMask ends = End::in(scanLoad(end - kScanWidth)) >> shift;
    return ends != 0 ? at + std::countr_zero(ends) : end;
  }
  while (at != end && !End::is(*at)) ++at;
  return at;
}

// Of a field line, both from its start: what comes behind it waits for one
// search and not for two. In a name is no byte that no value may hold.
inline LineEnds findLineEnds(const char* begin, const char* at,
                             const char* end) {
  if (end - begin < kScanWidth) [[unlikely]] {
    return {findEnd<EndOfPlainName>(begin, at, end),
            findEnd<EndOfPlainValue>(begin, at, end)};
  }
  const char* const from = end - at < kScanWidth ? end - kScanWidth : at;
  const char* const next = from + kScanWidth;
  const __m128i bytes = scanLoad(from);
  const HttpMask names = EndOfPlainName::in(bytes) >> (at - from);
  const HttpMask values = EndOfPlainValue::in(bytes) >> (at - from);
  return {names != 0 ? at + std::countr_zero(names)
                     : findEnd<EndOfPlainName>(begin, next, end),
          values != 0 ? at + std::countr_zero(values)
                      : findEnd<EndOfPlainValue>(begin, next, end)};
}

// Whether it is [A-Za-z0-9.-]*, perhaps with a colon and up to four digits
// behind it: whatever they are, they are a port. False: it may be a host all
// the same. Bytes are readable up to `end`.
inline bool isPlainHost(std::string_view host, const char* end) {
  constexpr std::size_t kPort = 5;
  if (host.size() > std::size_t{kScanWidth} || end - host.data() < kScanWidth)
    return false;
  const __m128i bytes = scanLoad(host.data());
  // The one byte between '.' and '0'.
  const __m128i slash = equals(bytes, '/');
  const __m128i plain = _mm_or_si128(lettersOf(bytes), within(bytes, '-', '9'));
  const HttpMask all = (1U << host.size()) - 1;
  const HttpMask others = all & ~maskOf(_mm_andnot_si128(slash, plain));
  if (others == 0) return true;
  const auto colon = static_cast<unsigned>(std::countr_zero(others));
  // From there on, the colon is the only one that is no digit.
  const HttpMask digits = maskOf(within(bytes, '0', '9'));
  return host[colon] == ':' && host.size() - colon <= kPort &&
         (all & ~digits) >> colon == 1;
}

#else

template <typename End>
inline const char* findEnd(const char*, const char* at, const char* end) {
  while (at != end && !End::is(*at)) ++at;
  return at;
}

inline LineEnds findLineEnds(const char* begin, const char* at,
                             const char* end) {
  const char* const name = findEnd<EndOfPlainName>(begin, at, end);
  return {name, findEnd<EndOfPlainValue>(begin, name, end)};
}

inline bool isPlainHost(std::string_view, const char*) { return false; }

#endif

}  // namespace brigade::detail
