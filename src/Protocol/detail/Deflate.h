#pragma once

// Deflate: the payloads of permessage-deflate (RFC 7692, 7.2) by zlib. A
// message is compressed with a flush at its end, whose last four bytes,
// 00 00 FF FF, are not sent and are put back here.

#include <cstddef>
#include <memory>
#include <string_view>

#include "brigade/Protocol/WebSocketCompression.h"
#include "brigade/Protocol/detail/Buffer.h"

namespace brigade::detail {

struct ZlibStream;

class Deflater {
 public:
  // Throws std::bad_alloc, as all of these do.
  Deflater(int windowBits, const WebSocketCompression& settings);
  ~Deflater();

  // Appends the compressed message, which is not empty, to `packed`.
  void deflate(std::string_view message, WebSocketContext context,
               Buffer& packed);

 private:
  std::unique_ptr<ZlibStream> stream_;
};

class Inflater {
 public:
  enum class Result : unsigned char { kWhole, kTooLong, kBroken };

  explicit Inflater(int windowBits);
  ~Inflater();

  // Appends the message to `message`, which is empty; at most `most` bytes.
  // One that is too long costs a quarter of that: from there on it is measured
  // before memory is spent.
  Result inflate(std::string_view packed, WebSocketContext context,
                 std::size_t most, Buffer& message);

 private:
  Result inflatePiece(std::string_view piece, std::size_t most,
                      Buffer& message);
  std::size_t measure(std::size_t most);

  std::unique_ptr<ZlibStream> stream_;
};

}  // namespace brigade::detail
