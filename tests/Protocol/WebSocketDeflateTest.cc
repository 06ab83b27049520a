#include <gtest/gtest.h>
#include <malloc.h>
#include <zlib.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::clientFrame;
using testing::closePayload;
using testing::CodecMemory;
using testing::CodecProperty;
using testing::CodecResult;
using testing::CodecRun;
using testing::describeWebSocket;
using testing::kBinary;
using testing::kFin;
using testing::kPing;
using testing::kRsv1;
using testing::kText;
using testing::serverFrame;
using Strings = std::vector<std::string>;

constexpr auto kNone = WebSocketContext::kNone;
constexpr auto kTakeover = WebSocketContext::kTakeover;

constexpr WebSocketLimits kSmall{
    .maxMessageSize = 1000, .maxFrameSize = 600, .maxFragments = 4};

WebSocketAgreement agreement(WebSocketContext context, int bits = 15) {
  return {.serverWindowBits = bits,
          .clientWindowBits = bits,
          .serverContext = context,
          .clientContext = context};
}

// A client's zlib.
class Packer {
 public:
  explicit Packer(int bits = 15, int level = 9, int strategy = 0) {
    EXPECT_EQ(
        deflateInit2(&z_, level, Z_DEFLATED, -std::max(bits, 9), 8, strategy),
        Z_OK);
  }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer() { deflateEnd(&z_); }

  std::string pack(std::string_view message, int flush = Z_SYNC_FLUSH) {
    std::string packed;
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
    z_.avail_in = static_cast<uInt>(message.size());
    do {
      char piece[4096];
      z_.next_out = reinterpret_cast<Bytef*>(piece);
      z_.avail_out = sizeof piece;
      deflate(&z_, flush);
      packed.append(piece, sizeof piece - z_.avail_out);
    } while (z_.avail_out == 0);
    if (flush == Z_SYNC_FLUSH) packed.resize(packed.size() - 4);
    return packed;
  }

 private:
  z_stream z_{};
};

// A client's zlib, which holds back no more than its window.
class Unpacker {
 public:
  explicit Unpacker(int bits) { EXPECT_EQ(inflateInit2(&z_, -bits), Z_OK); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;
  ~Unpacker() { inflateEnd(&z_); }

  std::string unpack(std::string packed) {
    packed += "\0\0\xff\xff"s;
    z_.next_in = reinterpret_cast<Bytef*>(packed.data());
    z_.avail_in = static_cast<uInt>(packed.size());
    std::string message;
    int status = Z_OK;
    do {
      // One byte at a time, so that zlib must look it up in the window.
      char byte = 0;
      z_.next_out = reinterpret_cast<Bytef*>(&byte);
      z_.avail_out = 1;
      status = inflate(&z_, Z_SYNC_FLUSH);
      if (z_.avail_out == 0) message += byte;
    } while (status == Z_OK && z_.avail_out == 0);
    EXPECT_TRUE(status == Z_OK || status == Z_BUF_ERROR) << status;
    return message;
  }
  void reset() { inflateReset(&z_); }

 private:
  z_stream z_{};
};

std::string packed(std::string_view message) { return Packer().pack(message); }

std::string packedFrame(unsigned kind, std::string_view packed) {
  return clientFrame(kFin | kRsv1 | kind, packed);
}

// Words that repeat at all distances.
std::string proseOf(std::size_t size) {
  std::minstd_rand random(7);
  std::string prose;
  while (prose.size() < size) {
    prose += "word" + std::to_string(random() % 500) + " ";
  }
  prose.resize(size);
  return prose;
}

std::string noiseOf(std::size_t size) {
  std::minstd_rand random(3);
  std::string noise;
  while (noise.size() < size) noise += static_cast<char>(random() >> 8);
  return noise;
}

constexpr const char* kReservedBits = "reserved bits are set";
constexpr const char* kBadDeflate =
    "a compressed message that cannot be inflated";
constexpr const char* kBadText = "a text that is not UTF-8";
constexpr const char* kLongMessage = "a message longer than maxMessageSize";
constexpr const char* kLongFrame = "a frame longer than maxFrameSize";

struct Case {
  const char* name;
  std::string bytes;
  Strings messages;
  std::string malformed = {};
  unsigned code = 0;
};

// With the limits kSmall and context takeover. Sections of RFC 7692.
const std::vector<Case> kCases = {
    {"7.2.3.1 Hello",
     packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.1 Hello in two fragments",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin, "\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.2 Hello again, out of the window",
     packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s) +
         packedFrame(kText, "\xf2\0\x11\0\0"s),
     {"text Hello", "text Hello"}},
    {"7.2.3.3 a block that is not compressed",
     packedFrame(kText, "\0\x05\0\xfa\xffHello\0"s),
     {"text Hello"}},
    {"7.2.3.4 a block that says it is the last",
     packedFrame(kText, "\xf3\x48\xcd\xc9\xc9\x07\0\0"s),
     {"text Hello"}},
    {"7.2.3.4 what follows it still has the window",
     packedFrame(kText, "\xf3\x48\xcd\xc9\xc9\x07\0\0"s) +
         packedFrame(kText, "\xf2\0\x11\0\0"s),
     {"text Hello", "text Hello"}},
    {"7.2.3.5 two blocks",
     packedFrame(kText, "\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0"s),
     {"text Hello"}},
    {"7.2.3.6 an empty message", packedFrame(kText, "\0"s), {"text "}},
    {"7.2.2 no bytes are no block",
     packedFrame(kBinary, ""),
     {},
     kBadDeflate,
     1007},
    {"6.1 a binary",
     packedFrame(kBinary, packed("\xff\0\xfe"s)),
     {"binary \xff\0\xfe"s}},
    {"6 what is not compressed",
     clientFrame(kFin | kText, "plain") + packedFrame(kText, packed("Hello")) +
         clientFrame(kFin | kBinary, "\xff"),
     {"text plain", "text Hello", "binary \xff"}},
    {"6.2 a ping inside a compressed message",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin | kPing, "") + clientFrame(kFin, "\xc9\xc9\x07\0"s),
     {"ping ", "text Hello"}},
    {"6.2 empty fragments",
     clientFrame(kRsv1 | kText, "") + clientFrame(0, packed("Hello")) +
         clientFrame(kFin, ""),
     {"text Hello"}},
    {"6.1 RSV1 of a ping",
     clientFrame(kFin | kRsv1 | kPing, ""),
     {},
     kReservedBits,
     1002},
    {"6.1 RSV1 of a close",
     clientFrame(kFin | kRsv1 | 8, packed(closePayload(1000))),
     {},
     kReservedBits,
     1002},
    {"6.1 RSV1 of a continuation",
     clientFrame(kRsv1 | kText, "\xf2\x48\xcd") +
         clientFrame(kFin | kRsv1, "\xc9\xc9\x07\0"s),
     {},
     kReservedBits,
     1002},
    {"6 RSV1 with RSV2",
     clientFrame(kFin | 0x60 | kText, packed("Hello")),
     {},
     kReservedBits,
     1002},
    {"6 RSV2 alone",
     clientFrame(kFin | 0x20 | kText, "a"),
     {},
     kReservedBits,
     1002},
    {"7.2.2 a block of a reserved type",
     packedFrame(kText, "\x06\xff\xff"),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a distance before the beginning",
     packedFrame(kText, "\xf2\0\x11\0\0"s),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a stream that is cut off",
     packedFrame(kText, "\xf2\x48\xcd"),
     {},
     kBadDeflate,
     1007},
    {"7.2.2 a stored length that lies",
     packedFrame(kText, "\0\x05\0\xfb\xffHello\0"s),
     {},
     kBadDeflate,
     1007},
    {"8.1 of RFC 6455: a text is judged inflated",
     packedFrame(kText, packed("\xce\xba\xe1\xbd\xb9")),
     {"text \xce\xba\xe1\xbd\xb9"}},
    {"8.1 of RFC 6455: a wrong byte, compressed",
     packedFrame(kText, packed("ab\xff")),
     {},
     kBadText,
     1007},
    {"8.1 of RFC 6455: a text that is cut off, compressed",
     packedFrame(kText, packed("ab\xe2\x82")),
     {},
     kBadText,
     1007},
    {"8.1 of RFC 6455: in fragments",
     clientFrame(kRsv1 | kText, packed("ab\xff")) + clientFrame(kFin, ""),
     {},
     kBadText,
     1007},
    {"8 a message at its limit",
     packedFrame(kBinary, packed(std::string(1000, 'x'))),
     {"binary " + std::string(1000, 'x')}},
    {"8 a message over its limit",
     packedFrame(kBinary, packed(std::string(1001, 'x'))),
     {},
     kLongMessage,
     1009},
    {"8 fragments over their limit",
     clientFrame(kRsv1 | kBinary,
                 packed(std::string(100000, 'x')).substr(0, 5)) +
         clientFrame(kFin, packed(std::string(100000, 'x')).substr(5)),
     {},
     kLongMessage,
     1009},
    {"8 a frame over its limit", "\xc2\xfe\x03\x00"s, {}, kLongFrame, 1009},
    {"8 noise at the limit of a frame",
     packedFrame(kBinary, packed(noiseOf(600))),
     {"binary " + noiseOf(600)}},
};

class WebSocketDeflate : public ::testing::Test {
 protected:
  std::string lastWords(WebSocket& codec) {
    Output out;
    codec.refuse(Refusal::kMalformed, out);
    std::string bytes;
    for (const iovec& piece : out.pieces()) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    return bytes;
  }

  // The one message of the frames.
  std::string receive(WebSocket& codec, const std::string& frames) {
    CodecMemory memory;
    CodecRun run(codec, memory, describeWebSocket);
    run.feed(frames);
    EXPECT_EQ(run.broken(), "");
    EXPECT_EQ(run.result().malformed, "");
    return run.result().messages.size() == 1 ? run.result().messages[0]
                                             : "no message";
  }

  WebSocketShared small_{kSmall};
};

TEST_F(WebSocketDeflate, EachCaseGivesItsMessagesAndItsCloseCode) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const std::size_t step : {c.bytes.size(), std::size_t{1}}) {
      WebSocket codec(small_, agreement(kTakeover));
      CodecMemory memory;
      CodecRun run(codec, memory, describeWebSocket);
      for (std::size_t at = 0; at < c.bytes.size(); at += step) {
        run.feed(std::string_view(c.bytes).substr(at, step));
      }
      EXPECT_EQ(run.broken(), "");
      EXPECT_EQ(run.result().messages, c.messages);
      EXPECT_EQ(run.result().malformed, c.malformed);
      if (!c.malformed.empty()) {
        EXPECT_EQ(lastWords(codec), serverFrame(0x88, closePayload(c.code)));
      }
    }
  }
}

TEST_F(WebSocketDeflate, HoweverTheCasesAreCutTheSameComesOut) {
  const CodecProperty property(
      [this] {
        return std::make_unique<WebSocket>(small_, agreement(kTakeover));
      },
      describeWebSocket);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    property.holdsFor(c.bytes);
  }
}

// RFC 7692, 7.1.1: what was agreed on holds, for each message.
TEST_F(WebSocketDeflate, WithoutTakeoverAMessageCannotReferToTheOneBefore) {
  const std::string bytes = packedFrame(kText, "\xf2\x48\xcd\xc9\xc9\x07\0"s) +
                            packedFrame(kText, "\xf2\0\x11\0\0"s);
  const CodecProperty property(
      [this] { return std::make_unique<WebSocket>(small_, agreement(kNone)); },
      describeWebSocket);
  const CodecResult result = property.whole(bytes);
  EXPECT_EQ(result.messages, Strings{"text Hello"});
  EXPECT_EQ(result.malformed, kBadDeflate);
}

TEST_F(WebSocketDeflate, MessagesOfAClientOfEveryWindowAndContextArrive) {
  WebSocketShared shared;
  const Strings messages = {proseOf(100),   "x",           proseOf(70000),
                            noiseOf(50000), proseOf(3000), proseOf(400000)};
  for (int bits = 8; bits <= 15; ++bits) {
    for (const auto context : {kNone, kTakeover}) {
      SCOPED_TRACE(bits);
      WebSocket codec(shared, agreement(context, bits));
      auto packer = std::make_unique<Packer>(bits);
      for (const std::string& message : messages) {
        if (context == kNone) packer = std::make_unique<Packer>(bits);
        ASSERT_TRUE(
            receive(codec, packedFrame(kBinary, packer->pack(message))) ==
            "binary " + message);
      }
    }
  }
}

TEST_F(WebSocketDeflate, AClientOfEveryWindowAndContextReadsWhatIsSent) {
  WebSocketShared shared({}, {.level = 9, .threshold = 0});
  const Strings messages = {proseOf(100),   "x",           proseOf(70000),
                            noiseOf(50000), proseOf(3000), proseOf(400000)};
  for (int bits = 8; bits <= 15; ++bits) {
    for (const auto context : {kNone, kTakeover}) {
      SCOPED_TRACE(bits);
      WebSocket codec(shared, agreement(context, bits));
      Unpacker unpacker(bits);
      for (const std::string& message : messages) {
        const std::string frame = CodecProperty::encoded(
            codec, WebSocketMessage::binary(message).message());
        const auto first = static_cast<unsigned char>(frame[0]);
        const std::size_t header = frame[1] < 126    ? 2
                                   : frame[1] == 126 ? 4
                                                     : 10;
        if (first == (kFin | kBinary)) {
          ASSERT_EQ(context, kNone) << "what the window must have seen";
          ASSERT_TRUE(frame.substr(header) == message);
          continue;
        }
        ASSERT_EQ(first, kFin | kRsv1 | kBinary);
        if (context == kNone) unpacker.reset();
        ASSERT_TRUE(unpacker.unpack(frame.substr(header)) == message);
      }
    }
  }
}

TEST_F(WebSocketDeflate, ConnectionsWithoutTakeoverShareAndDoNotMix) {
  WebSocketShared shared({}, {.threshold = 0});
  WebSocket one(shared, agreement(kNone));
  WebSocket two(shared, agreement(kNone));
  const std::string packedOne = packed("one one one one");
  const std::string half = packedOne.substr(0, packedOne.size() / 2);
  std::string first = clientFrame(kRsv1 | kText, half);
  ASSERT_EQ(one.input(first).kind, Packet::Kind::kSilent);
  EXPECT_EQ(receive(two, packedFrame(kText, packed("two two"))),
            "text two two");
  EXPECT_EQ(receive(one, clientFrame(kFin, packedOne.substr(half.size()))),
            "text one one one one");
}

TEST_F(WebSocketDeflate, ShortMessagesAreSentAsTheyAre) {
  WebSocketShared shared({}, {.threshold = 100});
  WebSocket codec(shared, agreement(kTakeover));
  const auto firstOf = [&](std::size_t size) {
    return static_cast<unsigned char>(
        CodecProperty::encoded(codec, std::string(size, 'x'))[0]);
  };
  EXPECT_EQ(firstOf(0), kFin | kText);
  EXPECT_EQ(firstOf(99), kFin | kText);
  EXPECT_EQ(firstOf(100), kFin | kRsv1 | kText);
}

TEST_F(WebSocketDeflate, AnEmptyMessageAndAControlFrameAreNeverCompressed) {
  WebSocketShared shared({}, {.threshold = 0});
  WebSocket codec(shared, agreement(kTakeover));
  EXPECT_EQ(CodecProperty::encoded(codec, ""), "\x81\0"s);
  EXPECT_EQ(CodecProperty::encoded(
                codec, WebSocketMessage::ping("ping ping ping").message()),
            "\x89\x0eping ping ping");
}

TEST_F(WebSocketDeflate, NoiseIsSentAsItIsUnlessTheWindowMustSeeIt) {
  WebSocketShared shared({}, {.threshold = 0});
  const std::string noise = noiseOf(5000);
  WebSocket alone(shared, agreement(kNone));
  EXPECT_EQ(CodecProperty::encoded(alone, noise), serverFrame(0x81, noise));
  WebSocket goesOn(shared, agreement(kTakeover));
  EXPECT_EQ(CodecProperty::encoded(goesOn, noise)[0], '\xc1');
}

TEST_F(WebSocketDeflate, ManyLastBlocksAreRead) {
  std::string blocks;
  for (int i = 0; i < 100; ++i) blocks += "\xf3\x48\xcd\xc9\xc9\x07\0"s;
  std::string hellos;
  for (int i = 0; i < 100; ++i) hellos += "Hello";
  WebSocketShared shared;
  WebSocket codec(shared, agreement(kTakeover));
  EXPECT_EQ(receive(codec, packedFrame(kText, blocks + "\0"s)),
            "text " + hellos);
}

// The sanitizers hold on to memory that was given back, and copy where
// realloc(3) moves pages.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kWaste = 4;
#else
constexpr std::size_t kWaste = 1;
#endif

class Bomb : public WebSocketDeflate {
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

TEST_F(Bomb, OfOneFrameEndsWith1009AndCostsLessThanAMessage) {
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
    EXPECT_EQ(lastWords(codec), serverFrame(0x88, closePayload(1009)));
  }
}

TEST_F(Bomb, OfFragmentsEndsWith1009AndCostsLessThanAMessage) {
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
  EXPECT_EQ(lastWords(codec), serverFrame(0x88, closePayload(1009)));
}

TEST_F(Bomb, AMessageThatJustFitsArrives) {
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

TEST_F(Bomb, ConnectionsThatAreIdleAgainHoldNoMemory) {
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
TEST_F(Bomb, TheMemoryOfALargeMessageGoesWithTheNextInput) {
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
