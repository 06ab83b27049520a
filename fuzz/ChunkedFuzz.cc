// A chunked body behind a head that is right. The first byte says into how long
// pieces it is cut; all of them give the same body as the whole.
#include "brigade/Protocol/detail/ChunkedDecoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace brigade::detail {
namespace {

struct Body {
  std::string data;
  std::string reason;
  bool ended = false;

  bool operator==(const Body&) const = default;
};

Body decoded(std::string_view bytes, std::size_t step) {
  const HttpLimits limits{
      .chunkExtensionBytes = 20, .bodyExtensionBytes = 40, .trailerBytes = 60};
  using Kind = ChunkedDecoder::Framing::Kind;
  ChunkedDecoder decoder;
  Body body;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, step);
    if (decoder.data() > 0) {
      const std::size_t length = static_cast<std::size_t>(
          std::min<std::uint64_t>(decoder.data(), piece.size()));
      body.data += piece.substr(0, length);
      decoder.take(length);
      bytes.remove_prefix(length);
      continue;
    }
    const ChunkedDecoder::Framing framing = decoder.read(piece, limits);
    if (framing.kind == Kind::kRefused) {
      body.reason = framing.refusal.reason;
      break;
    }
    if (framing.length == 0 || framing.length > piece.size()) std::abort();
    bytes.remove_prefix(framing.length);
    if (framing.kind == Kind::kEnd) {
      body.ended = true;
      break;
    }
  }
  return body;
}

}  // namespace
}  // namespace brigade::detail

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using brigade::detail::decoded;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1,
                               size - 1);
  const auto whole = decoded(bytes, bytes.size());
  if (whole == decoded(bytes, 1) && whole == decoded(bytes, data[0] + 1U)) {
    return 0;
  }
  std::fprintf(stderr, "the pieces give another body\n");
  std::abort();
}
