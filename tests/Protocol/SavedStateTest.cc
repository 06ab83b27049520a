// Codecs that go on in another process, in the middle of anything.

#include "brigade/Protocol/SavedState.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/Frame.h"
#include "brigade/Protocol/Http.h"
#include "brigade/Protocol/Tcp.h"
#include "brigade/Protocol/Text.h"
#include "brigade/Protocol/WebSocket.h"
#include "tests/support/HttpText.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::clientFrame;
using Strings = std::vector<std::string>;
using Make = std::function<std::unique_ptr<ProtocolInterface>()>;
using Describe = std::function<std::string(const Message&)>;

// What it makes of the bytes; those that are not consumed are left in them.
Strings feed(ProtocolInterface& codec, std::string& bytes,
             const Describe& describe) {
  Strings messages;
  while (!bytes.empty()) {
    const Packet packet = codec.input(bytes);
    if (!packet.isWhole()) break;
    std::string whole = bytes.substr(0, packet.length);
    bytes.erase(0, packet.length);
    if (packet.kind == Packet::Kind::kWhole) {
      messages.push_back(describe(codec.decode(whole)));
    }
  }
  return messages;
}

// The stream cut everywhere, once in the middle of `codec`, of which another
// one takes over. Returns at how many cuts it could not.
std::size_t expectGoesOn(const Make& make, const std::string& stream,
                         const Describe& describe) {
  const auto whole = make();
  std::string all = stream;
  const Strings expected = feed(*whole, all, describe);
  EXPECT_FALSE(expected.empty());
  std::size_t refusals = 0;
  for (std::size_t cut = 0; cut < stream.size(); ++cut) {
    const auto before = make();
    std::string bytes = stream.substr(0, cut);
    Strings messages = feed(*before, bytes, describe);
    const std::optional<std::string> saved = before->save();
    if (!saved) {
      ++refusals;
      continue;
    }
    const auto after = make();
    after->restore(*saved);
    bytes += stream.substr(cut);
    for (const std::string& message : feed(*after, bytes, describe)) {
      messages.push_back(message);
    }
    EXPECT_EQ(messages, expected) << "cut at " << cut;
  }
  return refusals;
}

std::string dataOf(const Message& message) {
  return std::string(message.data());
}

TEST(SavedStateTest, WhatWasWrittenIsReadInTheSameOrder) {
  StateWriter writer;
  writer.put(std::uint32_t{7});
  writer.putBytes("bytes\0with a zero"s);
  writer.putBytes("");
  const std::string saved = writer.take();
  StateReader reader(saved);
  EXPECT_EQ(reader.get<std::uint32_t>(), 7u);
  EXPECT_EQ(reader.getBytes(), "bytes\0with a zero"s);
  EXPECT_EQ(reader.getBytes(), "");
  EXPECT_TRUE(reader.atEnd());
  EXPECT_THROW(reader.get<char>(), std::length_error);
}

TEST(SavedStateTest, WhatIsCutShortIsRefused) {
  StateWriter writer;
  writer.putBytes("twelve bytes");
  const std::string saved = writer.take();
  for (std::size_t size = 0; size < saved.size(); ++size) {
    StateReader reader(std::string_view(saved).substr(0, size));
    EXPECT_THROW(reader.getBytes(), std::length_error) << size;
  }
}

TEST(SavedStateTest, PlainCodecsGoOnAnywhere) {
  EXPECT_EQ(expectGoesOn([] { return std::make_unique<Text>(); },
                         "one\r\n\ntwo and\nthree\n", dataOf),
            0u);
  EXPECT_EQ(expectGoesOn([] { return std::make_unique<Frame>(); },
                         "\0\0\0\7one\0\0\0\4\0\0\0\5x"s, dataOf),
            0u);
  EXPECT_EQ(Tcp().save(), "");
}

TEST(SavedStateTest, HttpGoesOnBetweenRequestsAndInsideAHead) {
  HttpShared shared;
  const Make make = [&] { return std::make_unique<Http>(shared); };
  const Describe describe = [](const Message& message) {
    return testing::textOf(message);
  };
  EXPECT_EQ(expectGoesOn(make,
                         "\r\nGET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n"
                         "GET /2?q HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n",
                         describe),
            0u);
}

TEST(SavedStateTest, HttpInsideABodyOrBehindTheLastRequestDoesNot) {
  HttpShared shared;
  for (const char* bytes :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}) {
    Http codec(shared);
    std::string stream = bytes;
    feed(codec, stream, dataOf);
    EXPECT_FALSE(codec.save()) << bytes;
  }
}

TEST(SavedStateTest, AWebSocketGoesOnInsideAFrameAndAFragmentedMessage) {
  WebSocketShared shared;
  const std::string stream =
      clientFrame(0x81, "h\xC3\xA9") + clientFrame(0x01, "fr\xE2\x82") +
      clientFrame(0x89, "ping") + clientFrame(0x00, "\xAC") +
      clientFrame(0x80, "ag") + clientFrame(0x82, std::string(200, '\xFF'));
  EXPECT_EQ(expectGoesOn([&] { return std::make_unique<WebSocket>(shared); },
                         stream, testing::describeWebSocket),
            0u);
}

TEST(SavedStateTest, AWebSocketWithContextOrAGoodbyeDoesNot) {
  WebSocketShared shared;
  WebSocketAgreement agreed;
  EXPECT_FALSE(WebSocket(shared, agreed).save());
  agreed.clientContext = WebSocketContext::kNone;
  EXPECT_FALSE(WebSocket(shared, agreed).save());
  agreed.serverContext = WebSocketContext::kNone;
  EXPECT_TRUE(WebSocket(shared, agreed).save());
  WebSocket closing(shared);
  EXPECT_TRUE(closing.save());
  Output out;
  closing.encode(WebSocketMessage::close(1000).message(), out);
  EXPECT_FALSE(closing.save());
}

// As a program's own is, unless it says more.
class Unknown : public Text {
 public:
  std::optional<std::string> save() const override {
    return ProtocolInterface::save();
  }
};

TEST(SavedStateTest, ACodecThatSaysNothingOfItCannotBeSaved) {
  EXPECT_FALSE(Unknown().save());
}

}  // namespace
}  // namespace brigade
