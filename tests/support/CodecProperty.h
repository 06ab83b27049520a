#pragma once

// CodecProperty: "however the bytes are cut, the same messages come out". For
// the test of any codec:
//
//   const CodecProperty property{[] { return std::make_unique<Text>(); }};
//   property.holdsFor("one\ntwo\r\n");        // every cut of these bytes
//   property.scansOnce(std::string(1 << 20, 'x') + '\n');
//
// A codec that reads a byte behind its input crashes (GuardedBytes.h); one
// that breaks another promise of ProtocolInterface.h fails (CodecRun.h).

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/ProtocolRegistry.h"
#include "tests/support/CodecRun.h"
#include "tests/support/GuardedBytes.h"

namespace brigade::testing {

class CodecProperty {
 public:
  using Factory = ProtocolFactory;

  // kJoined: a codec that streams gives pieces as they come; only the texts
  // of its messages, joined, are the same.
  enum class Compare { kMessages, kJoined };

  explicit CodecProperty(Factory make, Describe describe = dataOf,
                         Compare compare = Compare::kMessages)
      : make_(std::move(make)),
        describe_(std::move(describe)),
        compare_(compare) {}

  // What a fresh codec makes of the stream, whole. Fails on a broken promise.
  CodecResult whole(std::string_view stream) const {
    return cut(stream, {}).result;
  }

  // Whole, byte by byte, in two at every position, and at random positions.
  void holdsFor(std::string_view stream) const {
    SCOPED_TRACE("stream: " + ::testing::PrintToString(std::string(stream)));
    const Outcome expected = cut(stream, {});
    same(expected, stream, everyByte(stream.size()));
    for (std::size_t at = 1; at < stream.size(); ++at) {
      same(expected, stream, {at});
    }
    std::minstd_rand random(kSeed);
    for (int round = 0; round < kRandomCuts; ++round) {
      same(expected, stream, randomCuts(stream.size(), random));
    }
  }

  // The work for one long packet is linear in its length: while it arrives in
  // pieces of `step` bytes, what the codec has seen is taken away from it, but
  // for the first two pages (a header may be read again) and the last two.
  // A codec that starts over crashes. Once all is there, all is readable.
  void scansOnce(std::string_view packet, std::size_t step = 1) const {
    const std::shared_ptr<ProtocolInterface> codec = make_();
    GuardedBytes memory(packet);
    const std::size_t page = pageSize();
    char* begin = memory.pages() + memory.room() - packet.size();
    char* seen = memory.pages() + 2 * page;  // the next page to take away
    for (std::size_t size = step; size < packet.size(); size += step) {
      ASSERT_EQ(codec->input({begin, size}).kind, Packet::Kind::kMore);
      while (seen + 2 * page <= begin + size) {
        protect(seen, page, PROT_NONE);
        seen += page;
      }
    }
    protect(memory.pages(), memory.room(), PROT_READ | PROT_WRITE);
    const Packet last = codec->input({begin, packet.size()});
    ASSERT_EQ(last.kind, Packet::Kind::kWhole);
    ASSERT_EQ(last.length, packet.size());
  }

  // encode() of `message`, decoded again, is the message, in one packet.
  void survives(const Message& message) const {
    const std::shared_ptr<ProtocolInterface> encoder = make_();
    const CodecResult result = whole(encoded(*encoder, message));
    const std::vector<std::string> expected = {describe_(message)};
    EXPECT_EQ(result.messages, expected);
    EXPECT_EQ(result.rest, 0U);
    EXPECT_EQ(result.malformed, "");
  }

  static std::string encoded(ProtocolInterface& codec, const Message& message) {
    Output out;
    out.setMessage(message.data());
    codec.encode(message, out);
    std::string bytes;
    for (const iovec& piece : out.pieces()) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    EXPECT_EQ(bytes.size(), out.size());
    return bytes;
  }

 private:
  using Cuts = std::vector<std::size_t>;  // positions, ascending
  using Lengths = std::vector<std::size_t>;

  static constexpr unsigned kSeed = 1;
  static constexpr int kRandomCuts = 50;

  struct Outcome {
    CodecResult result;
    Lengths packets;
  };

  static std::string joined(const std::vector<std::string>& texts) {
    return std::accumulate(texts.begin(), texts.end(), std::string());
  }

  Outcome cut(std::string_view stream, const Cuts& cuts,
              const Lengths& packets = {}) const {
    const std::shared_ptr<ProtocolInterface> codec = make_();
    CodecMemory memory;
    CodecRun run(*codec, memory, describe_);
    std::size_t begin = 0;
    for (const std::size_t end : cuts) {
      run.feed(stream.substr(begin, end - begin));
      begin = end;
    }
    run.feed(stream.substr(begin));
    EXPECT_EQ(run.broken(), "");
    EXPECT_EQ(needlessWait(run, packets), "");
    return {run.result(), run.packets()};
  }

  void same(const Outcome& expected, std::string_view stream,
            const Cuts& cuts) const {
    SCOPED_TRACE("cut at " + ::testing::PrintToString(cuts));
    const bool joins = compare_ == Compare::kJoined;
    const CodecResult result =
        cut(stream, cuts, joins ? Lengths() : expected.packets).result;
    if (joins) {
      EXPECT_EQ(joined(result.messages), joined(expected.result.messages));
    } else {
      EXPECT_EQ(result.messages, expected.result.messages);
    }
    EXPECT_EQ(result.malformed, expected.result.malformed);
    // How much of a malformed packet was seen depends on the cut.
    if (!result.malformed.empty()) return;
    EXPECT_EQ(result.rest, expected.result.rest);
  }

  static Cuts everyByte(std::size_t size) {
    Cuts cuts;
    for (std::size_t at = 1; at < size; ++at) cuts.push_back(at);
    return cuts;
  }

  static Cuts randomCuts(std::size_t size, std::minstd_rand& random) {
    Cuts cuts;
    for (std::size_t at = 0; at < size;) {
      at += 1 + random() % (1 + size / 4);
      if (at < size) cuts.push_back(at);
    }
    return cuts;
  }

  static void protect(char* pages, std::size_t size, int protection) {
    ASSERT_EQ(::mprotect(pages, size, protection), 0) << std::strerror(errno);
  }

  Factory make_;
  Describe describe_;
  Compare compare_;
};

}  // namespace brigade::testing
