#include "examples/JsonLines.h"

#include <nlohmann/json.hpp>

#include "fuzz/CodecFuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using brigade::Message;
  using nlohmann::json;
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<JsonLines>(); },
      .describe = [](const Message& m) { return m.as<json>().dump(); },
      .survives = [](const Message& m) { return m.is<json>(); },
      .resend = [](const Message& m) { return Message::of(m.as<json>()); }};
  return kFuzz.run(data, size);
}
