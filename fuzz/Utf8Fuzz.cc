// The automaton for UTF-8 against the plain reading of RFC 3629. The first
// four bytes are a key that masks the rest, the fifth says where that is cut.
#include <cstdlib>
#include <string>
#include <string_view>

#include "brigade/Protocol/detail/Utf8.h"
#include "tests/support/Utf8Reference.h"

namespace {

using brigade::detail::MaskKey;
using brigade::detail::Utf8;

void check(bool holds) {
  if (!holds) std::abort();
}

bool isUtf8InPieces(std::string_view masked, MaskKey key, std::size_t step) {
  Utf8 utf8;
  for (std::size_t at = 0; at < masked.size(); at += step) {
    if (!utf8.feed(masked.substr(at, step), key.from(at))) return false;
  }
  return utf8.complete();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  if (size < 5) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const MaskKey key = MaskKey::at(bytes.data());
  const std::string_view text = bytes.substr(5);
  std::string masked(text);
  brigade::detail::unmask(text.data(), masked.data(), text.size(), key);
  const bool valid = brigade::testing::isUtf8ByTheBook(text);
  const std::size_t step = 1 + data[4] % 64;
  check(brigade::detail::isUtf8(text) == valid);
  check(isUtf8InPieces(masked, key, masked.size() + 1) == valid);
  check(isUtf8InPieces(masked, key, step) == valid);
  return 0;
}
