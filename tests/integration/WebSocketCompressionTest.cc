// Compressed WebSockets (RFC 7692) of a running server, with zlib at this end.

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/integration/WebSocketFixture.h"
#include "tests/support/ClientDeflate.h"

namespace brigade::test {
namespace {

using namespace std::string_literals;
using testing::clientFrame;

constexpr unsigned kText = 0x81;
constexpr unsigned kBinary = 0x82;
constexpr unsigned kClose = 0x88;
constexpr unsigned kPing = 0x89;
constexpr unsigned kCompressed = 0x40;

// Both sides of permessage-deflate.
class Zlib {
 public:
  std::string packed(const std::string& data) { return packer_.pack(data); }
  std::string unpacked(const std::string& data) {
    return unpacker_.unpack(data);
  }
  void forget() {
    packer_.reset();
    unpacker_.reset();
  }

 private:
  Packer packer_;
  Unpacker unpacker_;
};

class WebSocketCompressionTest : public WebSocketFixture {
 protected:
  Wire agree(const std::string& offer) {
    Wire wire = connect();
    const auto answer =
        openWebSocket(wire, "/", "Sec-WebSocket-Extensions: " + offer + "\r\n");
    EXPECT_TRUE(answer && answer->status == 101);
    agreed_ = answer->field("Sec-WebSocket-Extensions").value_or("");
    return wire;
  }

  std::string echo(Wire& wire, Zlib& zlib, const std::string& text) {
    wire.send(clientFrame(kText | kCompressed, zlib.packed(text)));
    const auto frame = nextFrame(wire);
    if (!frame) return "nothing";
    if ((frame->first & kCompressed) == 0) return frame->payload;
    return zlib.unpacked(frame->payload);
  }

  std::string agreed_;
};

TEST_F(WebSocketCompressionTest, IsOffUnlessTheServerOffersIt) {
  start();
  Wire wire = agree("permessage-deflate");
  EXPECT_EQ(agreed_, "");
  wire.send(clientFrame(kText | kCompressed, "x"));
  EXPECT_EQ(nextEvent(wire), "close 1002");
}

TEST_F(WebSocketCompressionTest, WithoutContextEveryMessageStandsAlone) {
  start({"COMPRESSION=shared"});
  Wire wire = agree("permessage-deflate; client_max_window_bits");
  EXPECT_NE(agreed_.find("server_no_context_takeover"), std::string::npos);
  Zlib zlib;
  for (int i = 0; i < 5; ++i) {
    const std::string text = proseOf(50) + std::to_string(i);
    EXPECT_EQ(echo(wire, zlib, text), text);
    zlib.forget();
  }
}

TEST_F(WebSocketCompressionTest, WithContextMessagesReferToThoseBefore) {
  start({"COMPRESSION=takeover"});
  Wire wire = agree("permessage-deflate");
  EXPECT_EQ(agreed_.find("no_context_takeover"), std::string::npos) << agreed_;
  Zlib zlib;
  std::string text = "the same words, ";
  for (int i = 0; i < 100; ++i) text += "again, ";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(echo(wire, zlib, text), text);
}

TEST_F(WebSocketCompressionTest, ComesInFragmentsAndByteByByte) {
  start({"COMPRESSION=takeover"});
  Wire wire = agree("permessage-deflate");
  Zlib zlib;
  const std::string packed = zlib.packed("fragments, fragments, fragments");
  std::string bytes = clientFrame(0x01 | kCompressed, packed.substr(0, 3));
  bytes += clientFrame(kPing, "between");
  bytes += clientFrame(0x80, packed.substr(3));
  for (const char c : bytes) ASSERT_TRUE(wire.send({&c, 1}));
  EXPECT_EQ(nextEvent(wire), "pong between");
  EXPECT_EQ(zlib.unpacked(nextFrame(wire)->payload),
            "fragments, fragments, fragments");
}

TEST_F(WebSocketCompressionTest, PlainMessagesAreStillTaken) {
  start({"COMPRESSION=takeover"});
  Wire wire = agree("permessage-deflate");
  Zlib zlib;
  wire.send(clientFrame(kText, "plain"));
  EXPECT_EQ(zlib.unpacked(nextFrame(wire)->payload), "plain");
}

TEST_F(WebSocketCompressionTest, W10_WrongUsesCloseTheConnection) {
  start({"COMPRESSION=shared", "MAX_MESSAGE=100000"});
  Zlib zlib;
  const auto packed = [&](const std::string& text) {
    zlib.forget();
    return zlib.packed(text);
  };
  const std::string half = packed("half");
  const std::tuple<const char*, std::string, const char*> cases[] = {
      {"7692 6.1 a compressed ping", clientFrame(kPing | kCompressed, ""),
       "close 1002"},
      {"7692 6.1 a compressed close", clientFrame(kClose | kCompressed, ""),
       "close 1002"},
      {"7692 6.1 RSV1 on a continuation",
       clientFrame(0x01 | kCompressed, half) +
           clientFrame(0x80 | kCompressed, ""),
       "close 1002"},
      {"7692 6.1 RSV2", clientFrame(kText | 0x20, ""), "close 1002"},
      {"7692 6.2 what cannot be inflated",
       clientFrame(kBinary | kCompressed, "\xFF\xFF\xFF\xFF"), "close 1007"},
      {"6455 8.1 not UTF-8", clientFrame(kText | kCompressed, packed("a\xFF")),
       "close 1007"},
      {"6455 10.4 a bomb",
       clientFrame(kBinary | kCompressed, packed(std::string(50 << 20, '0'))),
       "close 1009"},
      {"6455 10.4 as long as maxMessageSize and one",
       clientFrame(kBinary | kCompressed, packed(std::string(100001, '0'))),
       "close 1009"}};
  // What the first connection brings into memory (OpenSSL's SHA-1) stays.
  Wire first = agree("permessage-deflate");
  zlib.forget();
  EXPECT_EQ(echo(first, zlib, "warm"), "warm");
  const std::size_t before = memory();
  for (const auto& [name, bytes, event] : cases) {
    SCOPED_TRACE("RFC "s + name);
    Wire wire = agree("permessage-deflate");
    wire.send(bytes);
    EXPECT_EQ(nextEvent(wire), event);
    EXPECT_TRUE(wire.isClosed());
  }
  EXPECT_LT(memory(), before + (2 << 20));
}

TEST_F(WebSocketCompressionTest, InvalidOffersAreDeclined) {
  start({"COMPRESSION=shared"});
  for (const char* offer : {"permessage-deflate; server_max_window_bits=16",
                            "permessage-deflate; server_max_window_bits=7",
                            "permessage-deflate; server_max_window_bits",
                            "permessage-deflate; client_max_window_bits=08",
                            "permessage-deflate; server_no_context_takeover=1",
                            "permessage-deflate; nonsense",
                            "permessage-deflate; server_no_context_takeover; "
                            "server_no_context_takeover"}) {
    Wire wire = agree(offer);
    EXPECT_EQ(agreed_, "") << offer;
    EXPECT_EQ(ask(wire, "open"), "text open");
  }
  agree("permessage-deflate; nonsense, permessage-deflate");
  EXPECT_TRUE(agreed_.starts_with("permessage-deflate")) << agreed_;
}

TEST_F(WebSocketCompressionTest, WithoutMemoryTheConnectionEndsAndNoOther) {
  start({"COMPRESSION=takeover"});
  Zlib others;
  Wire other = agree("permessage-deflate");
  EXPECT_EQ(echo(other, others, "before"), "before");
  const pid_t worker = subject_.workerPid(1);
  const std::string text = proseOf(500);
  unsigned failed = 0;
  std::string event;
  do {
    ASSERT_LT(failed, 100u) << "never succeeds";
    Wire wire = agree("permessage-deflate");
    wire.send(
        clientFrame(kText, "starved " + std::to_string(failed++) + " " + text));
    event = nextEvent(wire);
    if (event != "close 1011") continue;
    EXPECT_TRUE(wire.isClosed());
    EXPECT_EQ(echo(other, others, text), text);
  } while (event == "close 1011");
  EXPECT_GT(failed, 3u);
  EXPECT_EQ(event, "frame 193") << "a compressed text";
  EXPECT_EQ(subject_.status().at("totals").at("exceptions"), failed - 1);
  EXPECT_EQ(subject_.workerPid(1), worker);
}

// ---- What is published

class WebSocketPublishTest : public WebSocketCompressionTest,
                             public ::testing::WithParamInterface<bool> {};

TEST_P(WebSocketPublishTest, WhatIsPublishedIsCompressedForWhoAgreed) {
  const bool takesOver = GetParam();
  start({takesOver ? "COMPRESSION=takeover" : "COMPRESSION=shared"});
  Wire plain = open();
  EXPECT_EQ(ask(plain, "sub news"), "text subscribed");
  Zlib zlib;
  Wire packed = agree("permessage-deflate");
  EXPECT_EQ(echo(packed, zlib, "sub news"), "subscribed");
  const std::string news = proseOf(500);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(plain, "pub news " + news), "text " + news);
    EXPECT_EQ(nextEvent(plain), "text published to 2");
    if (!takesOver) zlib.forget();
    const auto frame = nextFrame(packed);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->first, kText | kCompressed);
    EXPECT_LT(frame->payload.size(), news.size());
    EXPECT_EQ(zlib.unpacked(frame->payload), news);
    if (!takesOver) zlib.forget();
    EXPECT_EQ(echo(packed, zlib, "between " + news), "between " + news);
  }
}

INSTANTIATE_TEST_SUITE_P(Contexts, WebSocketPublishTest, ::testing::Bool(),
                         [](const auto& kind) {
                           return kind.param ? "Takeover" : "None";
                         });

// ---- Limits

struct Limit {
  std::size_t size;
  bool taken;
};

// Noise: compressed it is longer than it was.
TEST_F(WebSocketCompressionTest, AMessageAtTheLimitIsTakenPlainAndCompressed) {
  constexpr std::size_t kMost = 100'000;
  start({"COMPRESSION=shared", "MAX_MESSAGE=100000", "MAX_FRAME=100000"});
  for (const auto& [size, taken] :
       {Limit{kMost - 1, true}, Limit{kMost, true}, Limit{kMost + 1, false}}) {
    SCOPED_TRACE(size);
    const std::string noise = noiseOf(size);
    const std::string expected = taken ? "binary " + noise : "close 1009";
    const std::string packed = test::packed(noise);
    ASSERT_GT(packed.size(), size);
    const std::string half = packed.substr(0, size / 2);
    for (const std::string& bytes :
         {clientFrame(kBinary, noise),
          clientFrame(kBinary | kCompressed, packed),
          clientFrame(0x02 | kCompressed, half) +
              clientFrame(0x80, packed.substr(half.size()))}) {
      Wire wire = agree("permessage-deflate");
      wire.send(bytes);
      EXPECT_TRUE(nextEvent(wire) == expected);
      EXPECT_TRUE(taken || wire.isClosed());
    }
  }
}

}  // namespace
}  // namespace brigade::test
