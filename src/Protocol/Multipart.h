#pragma once

// Multipart: multipart/form-data as it arrives (RFC 7578, RFC 2046, 5.1), in
// pieces of any size. Work is linear in the bytes; memory is one boundary and
// the head of one part, however large the parts are.
//
//   kPart (kData)* kPartEnd  ...  kEnd
//
// for (Multipart::Event e = parser.next(piece); e.kind > Event::kMore; ...)

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brigade {

struct MultipartPart {
  std::string name;
  std::optional<std::string> filename;  // as sent: never a path to write to
  std::string contentType;  // "text/plain" when the part names none (4.4)
};

class Multipart {
 public:
  struct Limits {
    std::size_t parts = 1000;
    std::size_t headBytes = 8 * 1024;  // of one part
  };

  struct Event {
    enum class Kind : std::uint8_t {
      kRefused,  // malformed or over a limit: nothing follows
      kMore,     // the piece is used up
      kPart,     // part() begins
      kData,     // some of its bytes, at least one
      kPartEnd,
      kEnd  // the last boundary: what follows is ignored
    };
    Kind kind;
    std::string_view data = {};    // of kData; valid until the next call
    const char* reason = nullptr;  // of kRefused; static text
  };

  // `boundary` as boundaryOf() gives it.
  explicit Multipart(std::string_view boundary)
      : Multipart(boundary, Limits()) {}
  Multipart(std::string_view boundary, const Limits& limits);

  // The boundary that a Content-Type names; none when it is not
  // multipart/form-data, or not one of RFC 2046, 5.1.1: 1 to 70 bytes.
  static std::optional<std::string> boundaryOf(std::string_view contentType);

  // The next event in `piece`, of which it takes away what it has dealt with.
  // To be called until it is kMore, then with the next piece.
  Event next(std::string_view& piece);

  // The part that has begun last; valid until the next one begins.
  const MultipartPart& part() const { return part_; }
  // Whether the last boundary was seen: a body that ends before is malformed.
  bool ended() const { return state_ == State::kEpilogue; }

 private:
  enum class State : std::uint8_t {
    kPreamble,
    kBoundary,  // behind one
    kDash,      // behind it and '-'
    kPadding,   // behind it and white space
    kLineFeed,  // behind it and CR
    kHead,
    kData,
    kEpilogue,
    kRefused
  };

  Event refuse(const char* reason);
  Event body(std::string_view& piece);
  Event resumeDelimiter(std::string_view& piece);
  Event emit(std::string_view data);
  Event endOfBody();
  Event boundary(std::string_view& piece);
  Event head(std::string_view& piece);
  Event begin();
  const char* readHead();
  const char* readField(std::string_view name, std::string_view value);
  const char* readDisposition(std::string_view value);

  Limits limits_;
  std::string delimiter_;  // CRLF "--" boundary
  // Bytes of it that came last: its CR is nowhere else in it, so that when one
  // byte does not match, none of those before can begin another.
  std::size_t matched_;
  std::size_t assumed_;  // of these, those that are no data when it is none
  std::string head_;
  MultipartPart part_;
  std::size_t parts_ = 0;
  std::size_t padding_ = 0;
  bool hasDisposition_ = false;
  bool hasType_ = false;
  const char* reason_ = nullptr;
  State state_ = State::kPreamble;
};

}  // namespace brigade
