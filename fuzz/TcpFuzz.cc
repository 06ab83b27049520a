#include "brigade/Protocol/Tcp.h"

#include "fuzz/CodecFuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<brigade::Tcp>(); },
      .compare = brigade::fuzz::CodecFuzz::Compare::kBytes};
  return kFuzz.run(data, size);
}
