#include "brigade/Protocol/Text.h"

#include "fuzz/CodecFuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<brigade::Text>(); },
      // Text.h: nothing is escaped.
      .survives =
          [](const brigade::Message& message) {
            const std::string_view line = message.data();
            return !line.ends_with('\r') &&
                   line.find('\n') == std::string_view::npos;
          }};
  return kFuzz.run(data, size);
}
