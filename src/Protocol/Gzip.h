#pragma once

// Gzip: texts as gzip (RFC 1952) by zlib. A text that is there whole is packed
// in one call, one that comes in pieces as far as it has come, so that its
// reader has all that was written. Its memory is taken once.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace brigade {

class Gzip {
 public:
  // What it takes: kWhole 256 KiB, kPieces 64 KiB, since there may be many.
  enum class Use : std::uint8_t { kWhole, kPieces };
  enum class Flush : std::uint8_t { kPiece, kEnd };

  // Throws std::bad_alloc. A level that is not 1 to 9 is the nearest.
  Gzip(int level, Use use);
  ~Gzip();

  // Packs a text of up to 1 GiB. The number of bytes written, or 0 when they
  // do not fit.
  std::size_t pack(std::string_view text, std::span<char> room);

  // The next piece of a text, which lives until it is used up:
  //   for (z.add(piece); (n = z.take(room, flush)) > 0;) ...
  void add(std::string_view piece);
  // The number of bytes written; 0: there are no more. `room` has 16 at least.
  std::size_t take(std::span<char> room, Flush flush);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::string_view rest_;  // of the piece, what zlib does not have yet
};

}  // namespace brigade
