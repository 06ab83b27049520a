// WebSocketWorker as its clients see it.

#include <signal.h>

#include <vector>

#include "tests/integration/WebTest.h"

namespace brigade::test {
namespace {

class WebSocketWorkerTest : public WebTest {
 protected:
  WebClient open(std::string_view path = "/") {
    WebClient client = connect();
    EXPECT_TRUE(client.upgrade(path));
    EXPECT_EQ(client.text(), "hello " + std::string(path));
    return client;
  }
};

TEST_F(WebSocketWorkerTest, RequestsAndWebSocketsShareAPort) {
  program.start();
  WebClient socket = open("/room");
  WebClient plain = connect();
  EXPECT_EQ(plain.get("/users/me").body, "you");
  ASSERT_TRUE(socket.sendText("echo this"));
  EXPECT_EQ(socket.text(), "echo this");
}

TEST_F(WebSocketWorkerTest, ABadHandshakeIsRefusedWithItsStatus) {
  program.start();
  WebClient client = connect();
  const HttpAnswer answer =
      client.get("/",
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 8\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  EXPECT_EQ(answer.status, 426);
  EXPECT_EQ(answer.field("Sec-WebSocket-Version"), "13");
  EXPECT_TRUE(client.ended());
}

TEST_F(WebSocketWorkerTest, APublishedTextReachesEverySubscriberOnce) {
  program.start({"--workers", "1"});
  std::vector<WebClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(open());
    ASSERT_TRUE(clients.back().sendText("sub news"));
    ASSERT_TRUE(clients.back().sendText("sub news"));
    ASSERT_TRUE(clients.back().sendText("sync"));
    EXPECT_EQ(clients.back().text(), "sync");
  }
  ASSERT_TRUE(clients[2].sendText("unsub news"));
  ASSERT_TRUE(clients[2].sendText("sync"));
  EXPECT_EQ(clients[2].text(), "sync");
  ASSERT_TRUE(clients[0].sendText("pub news first"));
  EXPECT_EQ(clients[0].text(), "first");
  EXPECT_EQ(clients[0].text(), "told 4");
  for (const std::size_t i : {1u, 3u, 4u}) {
    EXPECT_EQ(clients[i].text(), "first") << i;
  }
  ASSERT_TRUE(clients[2].sendText("sync"));
  EXPECT_EQ(clients[2].text(), "sync") << "it has unsubscribed";
  // Who is gone is no subscriber.
  clients.pop_back();
  EXPECT_TRUE(eventually([&] {
    return clients[2].sendText("pub news again") &&
           clients[2].text() == "told 3";
  }));
}

// The frame is built once and goes to each socket as it is.
TEST_F(WebSocketWorkerTest, APublishedTextCostsNoAllocationForAReceiver) {
  program.start({"--workers", "1"});
  std::vector<WebClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(open());
    ASSERT_TRUE(clients.back().sendText("sub news"));
    ASSERT_TRUE(clients.back().sendText("sync"));
    ASSERT_EQ(clients.back().text(), "sync");
  }
  const std::string text(200, 'x');
  std::string cost;
  // The first time makes the room for the frame and the list of receivers.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(clients[0].sendText("cost news " + text));
    for (WebClient& client : clients) ASSERT_EQ(client.text(), text);
    cost = clients[0].text();
  }
  EXPECT_EQ(cost, "cost 0");
}

TEST_F(WebSocketWorkerTest, TheCloseOfThePeerIsEchoedAndReported) {
  program.start();
  WebClient client = open();
  ASSERT_TRUE(client.sendFrame(0x88, "\x0f\xa0works"));  // 4000
  EXPECT_EQ(client.text(), "close 4000");
  EXPECT_EQ(client.text(), "end");
  EXPECT_TRUE(logged("closed 4000 works"));
}

TEST_F(WebSocketWorkerTest, APeerThatJustLeavesIs1006) {
  program.start();
  open().reset();
  EXPECT_TRUE(logged("closed 1006"));
}

TEST_F(WebSocketWorkerTest, AnExceptionClosesWith1011) {
  program.start();
  WebClient client = open();
  ASSERT_TRUE(client.sendText("throw"));
  EXPECT_EQ(client.text(), "close 1011");
  EXPECT_TRUE(logged("told to throw"));
}

TEST_F(WebSocketWorkerTest, AViolationClosesWithItsCode) {
  program.start();
  const std::pair<std::string, const char*> cases[] = {
      {std::string("\x81\x01x", 3), "close 1002"},             // no mask
      {std::string("\x83\x80\0\0\0\0", 6), "close 1002"},      // opcode 3
      {std::string("\x81\x81\0\0\0\0\xff", 7), "close 1007"},  // UTF-8
      {std::string("\x82\xff\x7f\0\0\0\0\0\0\0\0\0\0\0", 14), "close 1009"},
  };
  for (const auto& [bytes, close] : cases) {
    WebClient client = open();
    ASSERT_TRUE(client.send(bytes));
    EXPECT_EQ(client.text(), close);
    EXPECT_EQ(client.text(), "end");
  }
}

TEST_F(WebSocketWorkerTest, ASilentPeerIsPingedAndThenGivenUp) {
  program.start({}, {"PING_MS=200", "PONG_MS=300"});
  WebClient client = open();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.text(), "ping ");
    ASSERT_TRUE(client.sendFrame(0x8a, ""));
  }
  EXPECT_EQ(client.text(), "ping ");
  // Not answered.
  EXPECT_EQ(client.text(), "close 1001");
  EXPECT_EQ(client.text(), "end");
}

TEST_F(WebSocketWorkerTest, AReloadSaysGoingAway) {
  program.start({"--workers", "1"});
  WebClient client = open();
  ::kill(program.masterPid(), SIGHUP);
  EXPECT_EQ(client.text(), "close 1001");
  ASSERT_TRUE(client.sendFrame(0x88, "\x03\xe9"));
  EXPECT_EQ(client.text(), "end");
}

}  // namespace
}  // namespace brigade::test
