// What HttpForm and HttpDate make of any text: no crash, no byte outside of it,
// and results that keep their promises.
#include "brigade/Protocol/HttpForm.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "brigade/Protocol/HttpDate.h"

namespace brigade {
namespace {

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void checkRanges(std::string_view text, std::uint64_t size) {
  const HttpRanges found = parseRanges(text, size);
  std::uint64_t total = 0;
  for (const HttpRange& range : found.ranges) {
    check(range.length > 0 && range.first < size &&
              range.length <= size - range.first,
          "a range outside of the representation");
    total += range.length;
  }
  check(total <= size, "ranges longer than the representation");
  check((found.kind == HttpRanges::Kind::kSatisfiable) != found.ranges.empty(),
        "a kind that its ranges belie");
}

void checkDate(std::string_view text) {
  const auto time = parseHttpDate(text);
  if (!time) return;
  const auto again = formatHttpDate(*time);
  check(parseHttpDate({again.data(), again.size()}) == time, "another date");
}

void checkAll(std::string_view text) {
  const auto decoded = percentDecode(text);
  check(!decoded || decoded->size() <= text.size(), "decoding made it longer");
  const auto form = HttpForm::parse(text);
  if (form && !form->parameters().empty()) {
    const auto& parameter = form->parameters().back();
    check(!form->all(parameter.name).empty(), "a parameter that is not found");
  }
  for (const auto& [name, value] : parseCookies(text)) {
    check(findCookie(text, name).has_value(), "a cookie that is not found");
  }
  parseMediaType(text);
  contentTypeOf(text);
  matchesETag(text, "\"a\"");
  matchesETag("\"a\"", text);
  acceptsEncoding(text, "gzip");
  checkRanges(text, 1000);
  checkRanges(text, ~std::uint64_t{0});
  checkDate(text);
}

}  // namespace
}  // namespace brigade

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  brigade::checkAll({reinterpret_cast<const char*>(data), size});
  return 0;
}
