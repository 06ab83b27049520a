// WebSocketConnection as its clients see it.

#include "tests/integration/WebTest.h"

namespace brigade::test {
namespace {

class WebSocketConnectionTest : public WebTest {
 protected:
  WebClient open() {
    WebClient client = connect();
    EXPECT_TRUE(client.upgrade());
    EXPECT_EQ(client.text(), "hello /");
    return client;
  }
};

TEST_F(WebSocketConnectionTest, ClosesWithCodeAndReason) {
  program.start();
  WebClient client = open();
  ASSERT_TRUE(client.sendText("close 4321"));
  EXPECT_EQ(client.text(), "close 4321 bye");
  // It hears nothing more, but for the answer to it.
  ASSERT_TRUE(client.sendText("echo"));
  ASSERT_TRUE(client.sendFrame(0x88, "\x10\xe1"));
  EXPECT_EQ(client.text(), "end");
  EXPECT_TRUE(logged("closed 4321"));
}

TEST_F(WebSocketConnectionTest, APeerThatDoesNotSayGoodbyeIsNotWaitedForLong) {
  program.start({}, {"CLOSE_MS=300"});
  WebClient client = open();
  ASSERT_TRUE(client.sendText("close 1000"));
  EXPECT_EQ(client.text(), "close 1000 bye");
  EXPECT_EQ(client.text(), "end");
}

TEST_F(WebSocketConnectionTest, PingsAreAnsweredThoughThePeerReadsNothingElse) {
  program.start();
  WebClient client = open();
  // More than the socket takes: it waits in the worker.
  ASSERT_TRUE(client.sendText("big 900000"));
  ASSERT_TRUE(client.sendText("big 900000"));
  ASSERT_TRUE(client.sendFrame(0x89, "are you there?"));
  EXPECT_EQ(client.text().size(), 900'000u);
  EXPECT_EQ(client.text().size(), 900'000u);
  EXPECT_EQ(client.text(), "pong are you there?");
}

TEST_F(WebSocketConnectionTest, W11_AMessageInFragmentsWithAPingBetweenIsOne) {
  program.start();
  WebClient client = open();
  ASSERT_TRUE(client.sendFrame(0x01, "one "));
  ASSERT_TRUE(client.sendFrame(0x89, "ping"));
  ASSERT_TRUE(client.sendFrame(0x80, "message"));
  EXPECT_EQ(client.text(), "pong ping");
  EXPECT_EQ(client.text(), "one message");
}

}  // namespace
}  // namespace brigade::test
