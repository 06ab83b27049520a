// The HTTP codec: cuts, and what a message is made of. Nothing it decodes is
// sent back: requests are for servers, and it encodes responses.
#include "brigade/Protocol/Http.h"

#include "fuzz/CodecFuzz.h"
#include "tests/support/HttpText.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using brigade::Http;
  using brigade::Message;
  // Small, so that the limits are reached.
  static const auto kShared = std::make_shared<brigade::HttpShared>(
      brigade::HttpLimits{.headBytes = 400,
                          .fields = 10,
                          .targetBytes = 100,
                          .chunkExtensionBytes = 20,
                          .bodyExtensionBytes = 40,
                          .trailerBytes = 60,
                          .wholeRequestBytes = 200});
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<Http>(kShared); },
      .describe = [](const Message& m) { return brigade::testing::textOf(m); },
      .survives = {},
      .compare = brigade::fuzz::CodecFuzz::Compare::kBytes};
  return kFuzz.run(data, size);
}
