#pragma once

// What the benchmarks of codecs measure.

#include <benchmark/benchmark.h>

#include <span>

#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolInterface.h"

namespace brigade {

// As a connection drives its codec.
template <typename Codec>
void echoAll(Codec& codec, std::span<char> input, Output& out) {
  out.setInput({input.data(), input.size()});
  while (!input.empty()) {
    const Packet packet = codec.input({input.data(), input.size()});
    if (packet.kind != Packet::Kind::kWhole) break;
    codec.encode(codec.decode(input.first(packet.length)), out);
    input = input.subspan(packet.length);
  }
  benchmark::DoNotOptimize(out.pieces().data());
  out.clear();
}

}  // namespace brigade
