#pragma once

// HttpPacker: compresses the answers of a worker process, one after the other,
// in memory that is taken with the first of them and kept: 320 KiB, and up to
// HttpCompression::most.

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "brigade/Protocol/Gzip.h"

namespace brigade::detail {

class HttpPacker {
 public:
  // The body as gzip, good until the next call; empty when that would not be
  // smaller. The level is that of the first.
  std::string_view pack(std::string_view body, int level) {
    if (body.empty()) return {};
    if (!gzip_) gzip_.emplace(level, Gzip::Use::kWhole);
    if (room_.size() < body.size()) room_.resize(body.size());
    return {room_.data(), gzip_->pack(body, {room_.data(), body.size() - 1})};
  }

  // A piece of an answer that has a stream of its own: `send` gets the bytes,
  // in parts of bounded length, until it answers false. It may call this packer
  // again, from onBufferFull, for another stream: that comes when the bytes are
  // with the kernel or copied, and between two parts nothing is kept here. The
  // stream at hand is not to be packed inside it.
  template <typename Send>
  void pack(Gzip& stream, std::string_view piece, Gzip::Flush flush,
            Send send) {
    if (room_.size() < kRoom) room_.resize(kRoom);
    stream.add(piece);
    while (const std::size_t size = stream.take({room_.data(), kRoom}, flush)) {
      if (!send(std::string_view(room_.data(), size))) return;
    }
  }

 private:
  static constexpr std::size_t kRoom = 64 * 1024;

  std::optional<Gzip> gzip_;
  std::vector<char> room_;
};

}  // namespace brigade::detail
