#include "brigade/Protocol/Gzip.h"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace brigade {
namespace {

// zlib counts in 32 bits.
constexpr std::size_t kMaxPiece = 1 << 30;
// Makes the header and trailer those of gzip (deflateInit2 in zlib.h).
constexpr int kGzip = 16;

void setInput(z_stream& z, std::string_view bytes) {
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
}

void setOutput(z_stream& z, std::span<char> room) {
  z.next_out = reinterpret_cast<Bytef*>(room.data());
  z.avail_out = static_cast<uInt>(std::min(room.size(), kMaxPiece));
}

}  // namespace

struct Gzip::Stream {
  z_stream z{};
};

// (1 << (windowBits + 2)) + (1 << (memLevel + 9)) bytes (zconf.h).
Gzip::Gzip(int level, Use use) : stream_(std::make_unique<Stream>()) {
  const bool whole = use == Use::kWhole;
  const int status = ::deflateInit2(&stream_->z, std::clamp(level, 1, 9),
                                    Z_DEFLATED, kGzip + (whole ? 15 : 13),
                                    whole ? 8 : 6, Z_DEFAULT_STRATEGY);
  // Nothing else can go wrong where the arguments are ours.
  if (status != Z_OK) throw std::bad_alloc();
}

Gzip::~Gzip() { ::deflateEnd(&stream_->z); }

std::size_t Gzip::pack(std::string_view text, std::span<char> room) {
  z_stream& z = stream_->z;
  ::deflateReset(&z);
  setInput(z, text);
  setOutput(z, room);
  return ::deflate(&z, Z_FINISH) == Z_STREAM_END ? z.total_out : 0;
}

void Gzip::add(std::string_view piece) { rest_ = piece; }

std::size_t Gzip::take(std::span<char> room, Flush flush) {
  z_stream& z = stream_->z;
  setOutput(z, room);
  const uInt size = z.avail_out;
  do {
    if (z.avail_in == 0) {
      setInput(z, rest_.substr(0, kMaxPiece));
      rest_.remove_prefix(z.avail_in);
    }
    const int last = flush == Flush::kEnd ? Z_FINISH : Z_SYNC_FLUSH;
    // A flush that is asked for once more does nothing (Z_BUF_ERROR).
    ::deflate(&z, rest_.empty() ? last : Z_NO_FLUSH);
  } while (z.avail_out > 0 && (z.avail_in > 0 || !rest_.empty()));
  return size - z.avail_out;
}

}  // namespace brigade
