// The HTTP codec: cuts, and what a message is made of. Nothing it decodes is
// sent back: requests are for servers, and it encodes responses.
#include "brigade/Protocol/Http.h"

#include "fuzz/CodecFuzz.h"
#include "tests/support/HttpText.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using brigade::Http;
  using brigade::Message;
  static brigade::HttpShared shared;
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<Http>(shared); },
      .describe = [](const Message& m) { return brigade::testing::textOf(m); },
      .survives = [](const Message&) { return false; },
      .compare = brigade::fuzz::CodecFuzz::Compare::kBytes};
  return kFuzz.run(data, size);
}
