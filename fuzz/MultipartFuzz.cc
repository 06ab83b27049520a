// A multipart body: pieces of any size give what the whole gives. The first
// byte is the size of the pieces; the boundary is "XX".
#include "brigade/Protocol/Multipart.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace brigade {
namespace {

std::string parsed(std::string_view body, std::size_t step) {
  using Kind = Multipart::Event::Kind;
  Multipart parser("XX", {.parts = 4, .headBytes = 100});
  std::string text;
  while (!body.empty()) {
    std::string_view piece = body.substr(0, step);
    body.remove_prefix(piece.size());
    for (;;) {
      const Multipart::Event event = parser.next(piece);
      if (event.kind == Kind::kRefused) return text + "!" + event.reason;
      if (event.kind == Kind::kMore) break;
      text += static_cast<char>('0' + static_cast<int>(event.kind));
      if (event.kind == Kind::kData) {
        if (event.data.empty()) std::abort();
        text.pop_back();
        text += event.data;
      } else if (event.kind == Kind::kPart) {
        const MultipartPart& part = parser.part();
        text.append(part.name).append("|").append(part.contentType);
        text.append("|").append(part.filename.value_or("-"));
      }
    }
    if (!piece.empty()) std::abort();
  }
  return text;
}

}  // namespace
}  // namespace brigade

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1,
                              size - 1);
  const std::string whole = brigade::parsed(body, body.size());
  if (whole == brigade::parsed(body, data[0] + 1U)) return 0;
  std::fprintf(stderr, "the pieces give another form\n");
  std::abort();
}
