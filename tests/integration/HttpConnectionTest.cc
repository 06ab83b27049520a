// HttpConnection as its clients see it.

#include "tests/integration/WebTest.h"

namespace brigade::test {
namespace {

class HttpConnectionTest : public WebTest {};

TEST_F(HttpConnectionTest, OneRequestHasOneAnswer) {
  program.start();
  WebClient client = connect();
  EXPECT_EQ(client.get("/twice").body, "once");
  EXPECT_EQ(client.get("/users/me").body, "you");
}

TEST_F(HttpConnectionTest, AnAnswerInPiecesIsChunked) {
  program.start();
  WebClient client = connect();
  const HttpAnswer answer = client.get("/pieces");
  EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(answer.body, "one two");
  EXPECT_EQ(client.get("/users/me").body, "you");
}

TEST_F(HttpConnectionTest, ForHttp10PiecesLastUntilTheEnd) {
  program.start();
  WebClient client = connect();
  ASSERT_TRUE(client.send("GET /pieces HTTP/1.0\r\n\r\n"));
  const HttpAnswer answer = client.answer();
  EXPECT_EQ(answer.field("Transfer-Encoding"), std::nullopt);
  EXPECT_TRUE(answer.untilClose);
  EXPECT_EQ(answer.body, "one two");
}

TEST_F(HttpConnectionTest, W12_HeadHasTheHeadOnly) {
  program.start();
  WebClient client = connect();
  ASSERT_TRUE(
      client.send("HEAD /users/me HTTP/1.1\r\nHost: a\r\n\r\n"
                  "HEAD /pieces HTTP/1.1\r\nHost: a\r\n"
                  "Connection: close\r\n\r\n"));
  const std::string all = client.rest();
  EXPECT_NE(all.find("Content-Length: 3\r\n"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
  EXPECT_EQ(all.find("you"), std::string::npos) << all;
}

TEST_F(HttpConnectionTest, EventsHaveNameIdAndEveryLine) {
  program.start();
  WebClient client = connect();
  const HttpAnswer answer = client.get("/events");
  EXPECT_EQ(answer.field("Content-Type"), "text/event-stream");
  EXPECT_EQ(answer.body, "event: news\nid: 7\ndata: two\ndata: lines\n\n");
}

TEST_F(HttpConnectionTest, TheClientsAddressIsKnown) {
  program.start();
  WebClient client = connect();
  EXPECT_EQ(client.get("/address").body, "127.0.0.1");
}

TEST_F(HttpConnectionTest, AClientThatLeavesBeforeItsAnswerHarmsNobody) {
  program.start({"--workers", "1"});
  {
    WebClient client = connect();
    ASSERT_TRUE(client.send("GET /late/50 HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.reset();
  }
  WebClient other = connect();
  EXPECT_EQ(other.get("/late/100").body, "late 100");
}

}  // namespace
}  // namespace brigade::test
