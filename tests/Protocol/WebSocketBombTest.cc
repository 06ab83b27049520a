// Messages that are small on their way and large when they have arrived, and
// what memory a codec keeps.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/Protocol/WebSocketDeflateFixture.h"
#include "tests/support/ClientDeflate.h"

namespace brigade {
namespace {

using test::packed;
using test::Packer;
using test::proseOf;
using testing::agreement;
using testing::clientFrame;
using testing::closePayload;
using testing::kBinary;
using testing::kFin;
using testing::kNone;
using testing::kPing;
using testing::kRsv1;
using testing::kTakeover;
using testing::kText;
using testing::lastWords;
using testing::packedFrame;
using testing::serverFrame;
using testing::WebSocketDeflateFixture;

// The sanitizers hold on to memory that was given back, and copy where
// realloc(3) moves pages.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kWaste = 4;
#else
constexpr std::size_t kWaste = 1;
#endif

class WebSocketBomb : public WebSocketDeflateFixture {
 protected:
  static constexpr std::size_t kMebi = 1 << 20;

  static std::size_t allocated() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  }

  // 1 GiB of zeros in 1 MiB.
  static const std::string& bomb() {
    static const std::string packed = [] {
      Packer packer;
      const std::string zeros(16 * kMebi, '\0');
      std::string all;
      for (int i = 0; i < 64; ++i) all += packer.pack(zeros, Z_NO_FLUSH);
      all += packer.pack("");
      return all;
    }();
    return packed;
  }

  static std::size_t peakOfThisProcess() {
    std::size_t peak = 0;
    char line[256];
    std::FILE* status = std::fopen("/proc/self/status", "r");
    while (std::fgets(line, sizeof line, status) != nullptr) {
      std::sscanf(line, "VmHWM: %zu kB", &peak);
    }
    std::fclose(status);
    return peak * 1024;
  }
  static void forgetPeak() {
    std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
    ASSERT_NE(file, nullptr);
    std::fputs("5", file);
    std::fclose(file);
  }
};

TEST_F(WebSocketBomb, W10_OfOneFrameEndsWith1009AndCostsLessThanAMessage) {
  ASSERT_LE(bomb().size(), 1.1 * kMebi);
  WebSocketShared shared(
      {.maxMessageSize = 8 * kMebi, .maxFrameSize = 8 * kMebi});
  for (const auto context : {kNone, kTakeover}) {
    WebSocket codec(shared, agreement(context));
    std::string frame = packedFrame(kBinary, bomb());
    ASSERT_EQ(codec.input(frame).kind, Packet::Kind::kWhole);
    forgetPeak();
    const std::size_t before = peakOfThisProcess();
    EXPECT_THROW(codec.decode(frame), ProtocolError);
    EXPECT_LE(peakOfThisProcess() - before, kWaste * 4 * kMebi);
    EXPECT_EQ(lastWords(codec, Refusal::kMalformed),
              serverFrame(0x88, closePayload(1009)));
  }
}

TEST_F(WebSocketBomb, W10_OfFragmentsEndsWith1009AndCostsLessThanAMessage) {
  WebSocketShared shared(
      {.maxMessageSize = 8 * kMebi, .maxFrameSize = 8 * kMebi});
  WebSocket codec(shared, agreement(kTakeover));
  std::string frames;
  constexpr std::size_t kPiece = 1000;
  for (std::size_t at = 0; at < bomb().size(); at += kPiece) {
    const bool last = at + kPiece >= bomb().size();
    frames += clientFrame((last ? kFin : 0) | (at == 0 ? kRsv1 | kBinary : 0),
                          bomb().substr(at, kPiece));
  }
  forgetPeak();
  const std::size_t before = peakOfThisProcess();
  std::span<char> rest(frames);
  Packet packet = codec.input({rest.data(), rest.size()});
  while (packet.kind == Packet::Kind::kSilent) {
    rest = rest.subspan(packet.length);
    packet = codec.input({rest.data(), rest.size()});
  }
  ASSERT_EQ(packet.kind, Packet::Kind::kWhole);
  EXPECT_THROW(codec.decode(rest), ProtocolError);
  EXPECT_LE(peakOfThisProcess() - before, kWaste * 6 * kMebi);
  EXPECT_EQ(lastWords(codec, Refusal::kMalformed),
            serverFrame(0x88, closePayload(1009)));
}

TEST_F(WebSocketBomb, AMessageThatJustFitsArrives) {
  WebSocketShared shared(
      {.maxMessageSize = 8 * kMebi, .maxFrameSize = 8 * kMebi});
  WebSocket codec(shared, agreement(kTakeover));
  const std::string zeros(8 * kMebi, '\0');
  EXPECT_EQ(receive(codec, packedFrame(kBinary, packed(zeros))).size(),
            zeros.size() + 7);
  const std::string prose = proseOf(3 * kMebi);
  EXPECT_TRUE(receive(codec, packedFrame(kText, packed(prose))) ==
              "text " + prose);
}

TEST_F(WebSocketBomb, ConnectionsThatAreIdleAgainHoldNoMemory) {
  WebSocketShared shared;
  std::vector<std::unique_ptr<WebSocket>> codecs;
  for (int i = 0; i < 1000; ++i) {
    codecs.push_back(std::make_unique<WebSocket>(shared));
  }
  const std::string half(10000, 'x');
  const std::string first = clientFrame(kText, half);
  std::string last = clientFrame(kFin, half);
  receive(*codecs[0], first + last);
  const std::size_t before = allocated();
  for (const auto& codec : codecs) {
    std::string end = last;
    ASSERT_EQ(codec->input(first).kind, Packet::Kind::kSilent);
    ASSERT_EQ(codec->input(end).kind, Packet::Kind::kWhole);
    ASSERT_EQ(codec->decode(end).data().size(), 2 * half.size());
  }
  EXPECT_LE(allocated() - before, 2 * half.size());
}

// One large message is not kept for ever; a small one is, for its memory.
TEST_F(WebSocketBomb, TheMemoryOfALargeMessageGoesWithTheNextInput) {
  WebSocketShared shared;
  WebSocket codec(shared, agreement(kNone));
  const std::size_t before = allocated();
  receive(codec, packedFrame(kBinary, packed(std::string(8 * kMebi, 'x'))));
  std::string ping = clientFrame(kFin | kPing, "");
  ASSERT_EQ(codec.input(ping).kind, Packet::Kind::kWhole);
  EXPECT_LE(allocated() - before, kMebi);
}

}  // namespace
}  // namespace brigade
