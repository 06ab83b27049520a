#include "brigade/Protocol/Frame.h"

#include "fuzz/CodecFuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<brigade::Frame>(); }};
  return kFuzz.run(data, size);
}
