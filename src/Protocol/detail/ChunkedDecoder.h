#pragma once

// ChunkedDecoder: where the pieces of a chunked body lie (RFC 9112, 7.1). Each
// byte of the framing is looked at once, as it comes; nothing is kept.
//
//   kSize -> [kName -> [kValue | kQuoted]]* -> kSizeLf -> data -> kDataCr
//     ^                                           |                  |
//     |                                           v size 0        kDataLf
//     `---------------------------------------- kLine <--.           |
//            (kSize again after each chunk)       |      |           |
//                                             kField  kFieldLf   (to kSize)
//                                                 `------'
// Extensions and trailers are checked, bounded and dropped; a trailer that
// would frame the message is refused (RFC 9110, 6.5.1). White space that the
// grammar calls bad (BWS) is refused: nobody needs it but smugglers.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "brigade/Protocol/HttpLimits.h"
#include "brigade/Protocol/detail/HttpFraming.h"

namespace brigade::detail {

class ChunkedDecoder {
 public:
  // Bytes of data that come next; while there are any, who calls takes them.
  std::uint64_t data() const { return state_ == State::kData ? left_ : 0; }
  void take(std::uint64_t bytes);
  bool ended() const { return state_ == State::kEnd; }

  struct Framing {
    enum class Kind : std::uint8_t { kMore, kData, kEnd, kRefused };
    Kind kind;
    std::size_t length;  // bytes dealt with: at least one
    HttpRefusal refusal;
  };
  // Of bytes that begin with no data. All of them are dealt with unless data
  // or the end of the body comes before.
  Framing read(std::string_view bytes, const HttpLimits& limits);

 private:
  enum class State : std::uint8_t {
    kSize,
    kName,
    kValue,
    kQuoted,
    kEscaped,
    kUnquoted,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kLine,
    kFieldName,
    kFieldValue,
    kFieldLf,
    kEndLf,
    kEnd
  };

  HttpRefusal step(char c, const HttpLimits& limits);
  HttpRefusal size(char c);
  HttpRefusal extension(char c, const HttpLimits& limits);
  HttpRefusal trailer(char c, const HttpLimits& limits);
  HttpRefusal fieldName(char c);
  void compareName(char c);
  HttpRefusal fieldValue(char c);
  HttpRefusal lineFeed(char c, State next);
  bool isFresh() const { return count_ == 0; }

  std::uint64_t left_ = 0;        // of this chunk
  std::uint32_t extensions_ = 0;  // bytes of them, in the body
  // Digits of a size, bytes of an extension, trailers.
  std::uint32_t count_ = 0;
  State state_ = State::kSize;
  bool begun_ = false;  // the token or name has a byte
  std::uint8_t nameSize_ = 0;
  // What the name of a trailer may still become.
  bool mayBeLength_ = false;
  bool mayBeCoding_ = false;
};

}  // namespace brigade::detail
