#pragma once

// HttpFraming: what the fields of a head say about the message as a whole:
// where its body ends and what becomes of the connection (RFC 9112, 3.2, 6
// and 9.3; RFC 9110, 10.1.1). All that request smuggling is made of is
// refused here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "brigade/Protocol/HttpRequest.h"

namespace brigade::detail {

// Why a request is refused: the status of the answer and static text.
struct HttpRefusal {
  unsigned status = 0;
  const char* reason = nullptr;

  explicit operator bool() const { return reason != nullptr; }
};

// Any case of `name` is right.
template <typename Word>
inline bool sameWord(const char* name, const char* lowerCase) {
  Word a;
  Word b;
  std::memcpy(&a, name, sizeof a);
  std::memcpy(&b, lowerCase, sizeof b);
  return (a | static_cast<Word>(0x2020202020202020)) == b;
}

// Of a token that is as long as the name in lower case: among the bytes of a
// token, setting this bit maps to a letter or '-' only what may be there.
template <std::size_t Size>
inline bool isName(const char* token, const char (&lowerCase)[Size]) {
  constexpr std::size_t kLength = Size - 1;
  if constexpr (kLength < 8) {
    return sameWord<std::uint32_t>(token, lowerCase) &&
           sameWord<std::uint32_t>(token + kLength - 4,
                                   lowerCase + kLength - 4);
  } else {
    for (std::size_t at = 0; at + 8 <= kLength; at += 8) {
      if (!sameWord<std::uint64_t>(token + at, lowerCase + at)) return false;
    }
    return sameWord<std::uint64_t>(token + kLength - 8,
                                   lowerCase + kLength - 8);
  }
}

// Which of the fields matter here, noted while they are read.
class HttpSeen {
 public:
  enum Name : std::size_t {
    kContentLength,
    kTransferEncoding,
    kConnection,
    kExpect,
    kHost,
    kNames
  };
  bool plainHost = false;  // Host is known to be valid

  // The lines of that name, and the first of them where there is one.
  std::size_t count(Name name) const { return counts_[name]; }
  const HttpHeader& first(Name name) const { return *firsts_[name]; }

  // Host is valid and none of the others is there: the usual GET.
  bool onlyHost() const {
    return plainHost && (counts_[kContentLength] | counts_[kTransferEncoding] |
                         counts_[kConnection] | counts_[kExpect]) == 0;
  }

  void note(const HttpHeader& header) {
    const std::size_t size = header.name.size();
    if (size < 32 && ((kLengths >> size) & 1) != 0) noteKnown(header);
  }

 private:
  static constexpr std::uint32_t kLengths =
      1U << 4 | 1U << 6 | 1U << 10 | 1U << 14 | 1U << 17;

  void add(Name name, const HttpHeader& header) {
    if (counts_[name]++ == 0) firsts_[name] = &header;
  }
  // No switch: a table of jumps costs more than four comparisons.
  void noteKnown(const HttpHeader& header) {
    const char* const token = header.name.data();
    const std::size_t size = header.name.size();
    if (size == 4) {
      if (isName(token, "host")) add(kHost, header);
    } else if (size == 6) {
      if (isName(token, "expect")) add(kExpect, header);
    } else if (size == 10) {
      if (isName(token, "connection")) add(kConnection, header);
    } else if (size == 14) {
      if (isName(token, "content-length")) add(kContentLength, header);
    } else {
      if (isName(token, "transfer-encoding")) add(kTransferEncoding, header);
    }
  }

  // A head has fewer bytes than this counts.
  std::array<std::uint32_t, kNames> counts_{};
  std::array<const HttpHeader*, kNames> firsts_;
};

class HttpFraming {
 public:
  // Completes what `request` says of its body and its connection; its fields
  // and its version are there.
  static HttpRefusal read(const HttpSeen& seen, HttpRequest& request) {
    request.contentLength_ = 0;
    request.isChunked_ = request.wantsUpgrade_ = false;
    request.expectsContinue_ = false;
    request.keepAlive_ = request.minorVersion_ > 0;
    return seen.onlyHost() ? HttpRefusal() : readFields(seen, request);
  }

 private:
  static HttpRefusal readFields(const HttpSeen& seen, HttpRequest& request);
  static HttpRefusal readBody(const HttpSeen& seen, HttpRequest& request);
  static void readConnection(const HttpSeen& seen, HttpRequest& request);
  static HttpRefusal readExpect(const HttpSeen& seen, HttpRequest& request);
};

}  // namespace brigade::detail
