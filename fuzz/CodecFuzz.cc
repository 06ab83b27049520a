#include "fuzz/CodecFuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace brigade::fuzz {
namespace {

using testing::CodecMemory;
using testing::CodecRun;

// Kept from run to run: to make it takes longer than a run does.
struct Kept {
  CodecMemory memory;
  Output output;
};

Kept& kept() {
  static Kept shared;
  return shared;
}

void check(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

void checkPromises(const CodecRun& run) {
  check(run.broken().empty(), run.broken());
}

std::string joined(const std::vector<std::string>& messages) {
  return std::accumulate(messages.begin(), messages.end(), std::string());
}

std::string encoded(ProtocolInterface& codec, const Message& message) {
  Output& out = kept().output;
  out.clear();
  out.setMessage(message.data());
  codec.encode(message, out);
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

}  // namespace

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// A third of a run went into noting where it allocates, and into memory that
// was freed runs ago. One frame, and what the last thousands of runs freed, are
// enough to find the input again; ASAN_OPTIONS has the last word.
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=1:quarantine_size_mb=8";
}
#endif
#endif

int CodecFuzz::run(const std::uint8_t* data, std::size_t size) const {
  if (size == 0) return 0;
  const std::size_t count = std::min(data[0] % kMaxCuts, (size - 1) / 2);
  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* step = data + 1 + 2 * i;
    steps.push_back(step[0] + std::size_t{256} * step[1]);
  }
  const std::size_t begin = 1 + 2 * count;
  const std::string_view stream(reinterpret_cast<const char*>(data) + begin,
                                size - begin);
  const Whole whole = runWhole(stream);
  if (!steps.empty()) {
    runCut(whole, stream, steps);
    runMoved(whole, stream, steps);
  }
  if (survives) runBack(whole);
  return 0;
}

CodecFuzz::Whole CodecFuzz::runWhole(std::string_view stream) const {
  Whole whole;
  const std::shared_ptr<ProtocolInterface> codec = make();
  const std::shared_ptr<ProtocolInterface> encoder =
      survives ? make() : nullptr;
  const auto send = [&](const Message& message) {
    if (!survives || !survives(message)) return;
    whole.sent.push_back(describe(message));
    whole.bytes += encoded(*encoder, resend(message));
  };
  send(stream);
  CodecRun run(*codec, kept().memory, [&](const Message& message) {
    send(message);
    return describe(message);
  });
  run.feed(stream);
  checkPromises(run);
  whole.result = run.result();
  whole.packets = run.packets();
  return whole;
}

void CodecFuzz::runCut(const Whole& whole, std::string_view stream,
                       const std::vector<std::size_t>& steps) const {
  const std::shared_ptr<ProtocolInterface> codec = make();
  CodecRun run(*codec, kept().memory, describe);
  for (const std::size_t step : steps) {
    run.feed(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
  }
  run.feed(stream);
  checkPromises(run);
  checkSame(whole.result.messages, run.result().messages);
  check(whole.result.malformed == run.result().malformed,
        "whole: '" + whole.result.malformed + "', cut: '" +
            run.result().malformed + "'");
  check(
      !run.result().malformed.empty() || whole.result.rest == run.result().rest,
      "another rest is left over");
  if (compare == Compare::kBytes) return;
  const std::string wait = needlessWait(run, whole.packets);
  check(wait.empty(), wait);
}

// As a connection goes from process to process.
void CodecFuzz::runMoved(const Whole& whole, std::string_view stream,
                         const std::vector<std::size_t>& steps) const {
  std::shared_ptr<ProtocolInterface> codec = make();
  auto run = std::make_unique<CodecRun>(*codec, kept().memory, describe);
  std::vector<std::string> messages;
  const auto takeMessages = [&] {
    const auto& more = run->result().messages;
    messages.insert(messages.end(), more.begin(), more.end());
  };
  for (const std::size_t step : steps) {
    run->feed(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
    const auto saved = codec->save();
    if (!saved || !run->result().malformed.empty()) continue;
    takeMessages();
    const std::string left = run->left();
    run.reset();
    codec = make();
    codec->restore(*saved);
    run = std::make_unique<CodecRun>(*codec, kept().memory, describe);
    run->feed(left);
  }
  run->feed(stream);
  takeMessages();
  checkPromises(*run);
  checkSame(whole.result.messages, messages);
  check(whole.result.malformed == run->result().malformed,
        "whole: '" + whole.result.malformed + "', moved: '" +
            run->result().malformed + "'");
}

void CodecFuzz::runBack(const Whole& whole) const {
  const std::shared_ptr<ProtocolInterface> codec = make();
  CodecRun run(*codec, kept().memory, describe);
  run.feed(whole.bytes);
  checkPromises(run);
  check(run.result().malformed.empty() && run.result().rest == 0,
        "encoded messages are no whole packets");
  checkSame(whole.sent, run.result().messages);
}

void CodecFuzz::checkSame(const std::vector<std::string>& expected,
                          const std::vector<std::string>& messages) const {
  if (compare == Compare::kBytes) {
    check(joined(expected) == joined(messages), "other bytes");
  } else {
    check(expected == messages, "other messages");
  }
}

}  // namespace brigade::fuzz
