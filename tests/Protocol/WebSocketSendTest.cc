// The frames that a WebSocket codec sends.

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocket.h"
#include "tests/support/CodecProperty.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::closeFrame;
using testing::closePayload;
using testing::CodecProperty;
using testing::kClose;
using testing::kFin;
using testing::kPing;
using testing::kText;
using testing::lastWords;
using testing::serverFrame;

class WebSocketSend : public ::testing::Test {
 protected:
  std::string encoded(const Message& message) {
    return CodecProperty::encoded(codec_, message);
  }
  std::string encoded(const WebSocketMessage& message) {
    return encoded(message.message());
  }
  std::string refused(Refusal refusal) { return lastWords(codec_, refusal); }

  WebSocketShared shared_;
  WebSocket codec_{shared_};
};

TEST_F(WebSocketSend, EveryKindHasItsFrame) {
  EXPECT_EQ(encoded(WebSocketMessage::text("Hello")), "\x81\x05Hello");
  EXPECT_EQ(encoded(WebSocketMessage::binary("\xff")), "\x82\x01\xff");
  EXPECT_EQ(encoded(WebSocketMessage::ping("p")), "\x89\x01p");
  EXPECT_EQ(encoded(WebSocketMessage::pong()), "\x8a\0"s);
  EXPECT_EQ(encoded(WebSocketMessage::close(1000, "bye")),
            "\x88\x05\x03\xe8"
            "bye");
}

TEST_F(WebSocketSend, PlainDataIsAText) {
  EXPECT_EQ(encoded("Hello"), "\x81\x05Hello");
}

// RFC 6455, 5.2: the shortest form.
TEST_F(WebSocketSend, TheLengthTakesAsFewBytesAsItCan) {
  for (const std::size_t size :
       {0U, 1U, 125U, 126U, 127U, 65535U, 65536U, 70000U}) {
    const std::string data(size, 'x');
    EXPECT_EQ(encoded(data), serverFrame(kFin | kText, data)) << size;
  }
}

TEST_F(WebSocketSend, ALargeMessageIsNotCopied) {
  const std::string data(1 << 20, 'x');
  Output out;
  out.setMessage(data);
  codec_.encode(WebSocketMessage::binary(data).message(), out);
  ASSERT_EQ(out.pieces().size(), 2U);
  EXPECT_EQ(out.pieces()[1].iov_base, data.data());
}

TEST_F(WebSocketSend, ACloseMayBeWithoutACode) {
  EXPECT_EQ(encoded(WebSocketMessage::close(WebSocketCode::kNone)), "\x88\0"s);
}

TEST_F(WebSocketSend, NothingFollowsAClose) {
  EXPECT_FALSE(codec_.closeSent());
  encoded(WebSocketMessage::close());
  EXPECT_TRUE(codec_.closeSent());
  EXPECT_EQ(encoded("Hello"), "");
  EXPECT_EQ(encoded(WebSocketMessage::close()), "");
  EXPECT_EQ(refused(Refusal::kMalformed), "");
}

TEST_F(WebSocketSend, AControlFrameThatIsTooLongIsNotSent) {
  const std::string data(126, 'x');
  const std::string_view view = data;
  EXPECT_EQ(encoded(WebSocketMessage::ping(view.substr(1))),
            serverFrame(kFin | kPing, view.substr(1)));
  EXPECT_THROW(encoded(WebSocketMessage::ping(data)), std::length_error);
  EXPECT_THROW(encoded(WebSocketMessage::pong(data)), std::length_error);
  EXPECT_THROW(encoded(WebSocketMessage::close(1000, view.substr(2))),
               std::length_error);
  EXPECT_FALSE(codec_.closeSent());
  EXPECT_EQ(encoded(WebSocketMessage::close(1000, view.substr(3))),
            serverFrame(kFin | kClose, closePayload(1000, view.substr(3))));
}

TEST_F(WebSocketSend, ACodeThatMayNotBeSentIsNotSent) {
  for (const std::uint16_t code :
       std::vector<std::uint16_t>{0, 999, 1004, 1006, 1015, 2999, 5000}) {
    EXPECT_THROW(encoded(WebSocketMessage::close(code)), std::invalid_argument);
  }
  EXPECT_THROW(encoded(WebSocketMessage::close(WebSocketCode::kNone, "why")),
               std::invalid_argument);
  EXPECT_FALSE(codec_.closeSent());
}

TEST_F(WebSocketSend, ARefusalIsACloseFrame) {
  EXPECT_EQ(refused(Refusal::kTooLong), closeFrame(1009));
  EXPECT_EQ(refused(Refusal::kTooLong), "") << "once";
  WebSocket silent(shared_);
  Output out;
  silent.refuse(Refusal::kTimeout, out);
  ASSERT_EQ(out.pieces().size(), 1U);
  EXPECT_EQ(
      std::string_view(static_cast<const char*>(out.pieces()[0].iov_base), 4),
      closeFrame(1001));
}

}  // namespace
}  // namespace brigade
