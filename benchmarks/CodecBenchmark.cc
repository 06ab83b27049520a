// What the codecs cost without any socket: nanoseconds a message, for a batch
// of messages as one recv brings it, each cut, decoded and encoded again.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "EchoAll.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/ProtocolRegistry.h"

namespace brigade {
namespace {

std::string gathered(Output& out) {
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

std::string batchOf(ProtocolInterface& codec, std::size_t size,
                    std::size_t count) {
  const std::string message(size, 'm');
  Output out;
  std::string batch;
  for (std::size_t i = 0; i < count; ++i) {
    codec.encode(message, out);
    batch += gathered(out);
    out.clear();
  }
  return batch;
}

// Arguments: bytes of a message, messages of a batch.
void echo(benchmark::State& state, std::string_view scheme) {
  const ProtocolRegistry registry;
  const std::shared_ptr<ProtocolInterface> codec = registry.find(scheme)();
  std::string batch = batchOf(*codec, static_cast<std::size_t>(state.range(0)),
                              static_cast<std::size_t>(state.range(1)));
  Output out;
  for (auto _ : state) echoAll(*codec, batch, out);
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(batch.size()));
}

// A line of which each recv brings only a few bytes more: what was looked at
// once is not looked at again.
void unfinishedLine(benchmark::State& state) {
  constexpr std::size_t kPiece = 64;
  const ProtocolRegistry registry;
  const std::string line =
      std::string(static_cast<std::size_t>(state.range(0)), 'm') + '\n';
  for (auto _ : state) {
    const std::shared_ptr<ProtocolInterface> codec = registry.find("text")();
    for (std::size_t size = kPiece; size < line.size(); size += kPiece) {
      benchmark::DoNotOptimize(
          codec->input(std::string_view(line).substr(0, size)));
    }
    benchmark::DoNotOptimize(codec->input(line));
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(line.size()));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({32, 1})->Args({32, 16})->Args({1024, 16})->Args({16384, 4});
}

BENCHMARK_CAPTURE(echo, tcp, "tcp")->Args({32, 1})->Args({16384, 1});
BENCHMARK_CAPTURE(echo, text, "text")->Apply(sizes);
BENCHMARK_CAPTURE(echo, frame, "frame")->Apply(sizes);
BENCHMARK(unfinishedLine)->Arg(16 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace brigade
