// What WebSocket costs without any socket: nanoseconds a message for a batch
// of frames as one recv brings it, each cut, decoded and sent back; and bytes
// a second of what is done to every byte.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "EchoAll.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/WebSocket.h"
#include "brigade/Protocol/detail/Mask.h"
#include "brigade/Protocol/detail/Utf8.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

constexpr unsigned kText = 0x81;
constexpr unsigned kBinary = 0x82;

std::string batchOf(unsigned first, std::size_t size, std::size_t count) {
  std::string batch;
  for (std::size_t i = 0; i < count; ++i) {
    batch += testing::clientFrame(first, std::string(size, 'm'));
  }
  return batch;
}

// Arguments: bytes of a message, messages of a batch. Decoding unmasks in
// place, so each round begins with a copy, as recv makes one.
void echo(benchmark::State& state, unsigned first) {
  const auto count = static_cast<std::size_t>(state.range(1));
  const std::string batch =
      batchOf(first, static_cast<std::size_t>(state.range(0)), count);
  std::string received = batch;
  WebSocketShared shared;
  WebSocket codec(shared);
  Output out;
  for (auto _ : state) {
    std::copy(batch.begin(), batch.end(), received.begin());
    echoAll(codec, received, out);
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(batch.size()));
}

// A text that arrives in pieces: nothing is looked at twice.
void longText(benchmark::State& state) {
  const auto piece = static_cast<std::size_t>(state.range(1));
  const std::string frame =
      batchOf(kText, static_cast<std::size_t>(state.range(0)), 1);
  WebSocketShared shared;
  for (auto _ : state) {
    WebSocket codec(shared);
    for (std::size_t size = piece; size < frame.size(); size += piece) {
      benchmark::DoNotOptimize(
          codec.input(std::string_view(frame).substr(0, size)));
    }
    benchmark::DoNotOptimize(codec.input(frame));
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(frame.size()));
}

void compressed(benchmark::State& state, WebSocketContext context) {
  std::string line;
  for (int i = 0; line.size() < static_cast<std::size_t>(state.range(0)); ++i) {
    line += R"({"id":)" + std::to_string(i * 7919 % 1000) + R"(,"name":"x"})";
  }
  WebSocketShared shared;
  WebSocket codec(shared, {.serverContext = context, .clientContext = context});
  Output out;
  for (auto _ : state) {
    codec.encode(line, out);
    benchmark::DoNotOptimize(out.pieces().data());
    out.clear();
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(line.size()));
}

std::string repeated(std::string_view part, std::size_t size) {
  std::string text;
  while (text.size() < size) text += part;
  return text;
}

void utf8(benchmark::State& state, std::string_view part) {
  const std::string text = repeated(part, 64 << 10);
  for (auto _ : state) {
    detail::Utf8 utf8;
    benchmark::DoNotOptimize(utf8.feed(text, detail::MaskKey::at("\0\0\0\0")));
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(text.size()));
}

void unmask(benchmark::State& state) {
  std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    detail::unmask(bytes.data(), bytes.data(), bytes.size(),
                   detail::MaskKey::at("abcd"));
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Args({20, 1})->Args({20, 16})->Args({1024, 16})->Args({16384, 1});
}

BENCHMARK_CAPTURE(echo, text, kText)->Apply(sizes);
BENCHMARK_CAPTURE(echo, binary, kBinary)->Apply(sizes);
BENCHMARK(longText)->Args({1 << 20, 64})->Args({1 << 20, 16 << 10});
BENCHMARK_CAPTURE(compressed, shared, WebSocketContext::kNone)->Arg(4096);
BENCHMARK_CAPTURE(compressed, takeover, WebSocketContext::kTakeover)->Arg(4096);
BENCHMARK_CAPTURE(utf8, ascii, "plain text ");
BENCHMARK_CAPTURE(utf8, latin, "na\xc3\xafve caf\xc3\xa9s, some more words ");
BENCHMARK_CAPTURE(utf8, cyrillic, "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5 ");
BENCHMARK_CAPTURE(utf8, chinese, "\xe4\xbd\xa0\xe5\xa5\xbd");
BENCHMARK(unmask)->Arg(20)->Arg(1024)->Arg(64 << 10);

}  // namespace
}  // namespace brigade
