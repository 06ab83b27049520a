// What a client gets when a callback of an HttpWorker throws.

#include <gtest/gtest.h>

#include <string>

#include "tests/integration/HttpFixture.h"

namespace brigade::test {
namespace {

class HttpExceptionTest : public HttpFixture {
 protected:
  void expectLogged(const std::string& text) {
    EXPECT_TRUE(eventually([&] {
      return subject_.log().find(text) != std::string::npos;
    })) << subject_.log();
    EXPECT_EQ(total("exceptions"), 1u);
    expectServed();
  }
};

TEST_F(HttpExceptionTest, Gives500AndClosesAndIsCountedAndLogged) {
  start();
  EXPECT_EQ(ask(get("/") + get("/throw?x=y") + get("/")), "200 hello");
  EXPECT_EQ(answer(), "500 500 Internal Server Error\n");
  expectClosed();
  expectLogged("GET /throw: asked to throw");
}

TEST_F(HttpExceptionTest, OfAnyTypeGives500) {
  start();
  EXPECT_EQ(ask(get("/throw-int")), "500 500 Internal Server Error\n");
  expectClosed();
  expectLogged("GET /throw-int: ");
}

TEST_F(HttpExceptionTest, InsideAStreamedAnswerLeavesItWithoutItsEnd) {
  start();
  send(get("/throw-streaming") + get("/"));
  EXPECT_EQ(answer(), "nothing");
  EXPECT_TRUE(wire_->received().empty() ||
              wire_->received().ends_with("begun\r\n"));
  expectLogged("GET /throw-streaming: asked to throw");
}

// Some of them with the batch, some in the queue.
TEST_F(HttpExceptionTest, InsideAStreamedAnswerLosesNoneBeforeIt) {
  start({"MAX_SEND=100000000"});
  send(get("/") + get("/big/20000000") + get("/") + get("/throw-streaming") +
       get("/"));
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_EQ(answer().size(), 20000004u);
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_EQ(answer(), "nothing");
  EXPECT_FALSE(wire_->received().ends_with("0\r\n\r\n"));
  expectLogged("GET /throw-streaming: asked to throw");
}

// Whatever came would be taken for all of it.
TEST_F(HttpExceptionTest, InsideAStreamedAnswerForHttp10LeavesNothing) {
  start();
  send("GET /throw-streaming HTTP/1.0\r\n\r\n");
  EXPECT_EQ(answer(), "nothing");
  EXPECT_EQ(wire_->received(), "");
  expectLogged("GET /throw-streaming: asked to throw");
}

// With the batch, and from the queue.
TEST_F(HttpExceptionTest, InsideAStreamedAnswerForHttp10LosesNoneBeforeIt) {
  start({"MAX_SEND=100000000"});
  const std::string keep = " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  const std::string thrower = "GET /throw-streaming HTTP/1.0\r\n\r\n";
  send("GET /a" + keep + thrower);
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_EQ(answer(), "nothing");
  EXPECT_EQ(wire_->received(), "");
  wire_ = std::make_unique<Wire>(connect());
  send("GET /big/20000000" + keep + "GET /a" + keep + thrower);
  EXPECT_EQ(answer().size(), 20000004u);
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_EQ(answer(), "nothing");
  EXPECT_EQ(wire_->received(), "");
  EXPECT_EQ(total("exceptions"), 2u);
  expectServed();
}

TEST_F(HttpExceptionTest, BehindTheAnswerClosesAndSaysNoMore) {
  start();
  send(get("/throw-answered") + get("/"));
  EXPECT_EQ(answer(), "200 answered");
  EXPECT_EQ(answer(), "nothing");
  EXPECT_EQ(wire_->received(), "");
  expectLogged("GET /throw-answered: asked to throw");
}

TEST_F(HttpExceptionTest, InAPieceOfABodyGives500) {
  start();
  send(postHead("/throw-body", "Transfer-Encoding: chunked\r\n") +
       chunk("please throw"));
  EXPECT_EQ(answer(), "500 500 Internal Server Error\n");
  expectClosed();
  expectLogged("POST /throw-body: asked to throw");
}

TEST_F(HttpExceptionTest, FromAFieldWithALineEndIsNoSplitAnswer) {
  start();
  EXPECT_EQ(ask(get("/split")), "500 500 Internal Server Error\n");
  expectClosed();
  expectLogged("GET /split: ");
}

}  // namespace
}  // namespace brigade::test
