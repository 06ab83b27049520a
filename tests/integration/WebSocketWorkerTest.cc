// WebSocketWorker as its clients see it.

#include <signal.h>

#include <string>
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
TEST_F(WebSocketWorkerTest,
       APublishedTextCostsAReceiverOneSystemCallAndNoAllocation) {
  program.start({"--workers", "1"});
  WebClient publisher = open();
  std::vector<WebClient> receivers;
  for (int i = 0; i < 1000; ++i) {
    receivers.push_back(open());
    ASSERT_TRUE(receivers.back().sendText("sub news"));
    ASSERT_TRUE(receivers.back().sendText("sync"));
    ASSERT_EQ(receivers.back().text(), "sync");
  }
  const std::string text(200, 'x');
  std::string cost;
  // The first time makes the room for the frame and the list of receivers.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(publisher.sendText("cost news " + text));
    for (WebClient& receiver : receivers) ASSERT_EQ(receiver.text(), text);
    cost = publisher.text();
  }
  EXPECT_EQ(cost, "0 allocations, 1000 system calls");
}

TEST_F(WebSocketWorkerTest, ALargePublishedTextLeavesNoMemoryBehind) {
  program.start({"--workers", "1"});
  WebClient receiver = open();
  WebClient publisher = open();
  const auto heap = [&] {
    EXPECT_TRUE(publisher.sendText("heap"));
    return std::stoul(publisher.text());
  };
  ASSERT_TRUE(receiver.sendText("sub news"));
  ASSERT_TRUE(receiver.sendText("sync"));
  ASSERT_EQ(receiver.text(), "sync");
  const std::size_t before = heap();
  const std::string large(8 << 20, 'x');
  ASSERT_TRUE(publisher.sendText("pub news " + large));
  EXPECT_TRUE(receiver.text() == large);
  EXPECT_EQ(publisher.text(), "told 1");
  EXPECT_LT(heap(), before + (1 << 20));
}

// It comes inside of publish(), which goes on with the list that it began with.
TEST_F(WebSocketWorkerTest, OnBufferFullMaySubscribeAndPublish) {
  program.start({"--workers", "1"});
  WebClient slow = open();
  WebClient quick = open();
  for (WebClient* const client : {&slow, &quick}) {
    ASSERT_TRUE(client->sendText("sub news"));
    ASSERT_TRUE(client->sendText("sync"));
    ASSERT_EQ(client->text(), "sync");
  }
  ASSERT_TRUE(quick.sendText("when-full news"));
  const std::string large(1 << 20, 'x');
  std::vector<std::string> heard;
  for (int i = 0; i < 100 && heard.size() < 3; ++i) {
    ASSERT_TRUE(quick.sendText("pub news " + large));
    heard.clear();
    do {
      heard.push_back(quick.text());
    } while (!heard.back().starts_with("told"));
  }
  // What was published inside stands first: the outer frame was still on its
  // way to the others.
  ASSERT_EQ(heard.size(), 3u);
  EXPECT_EQ(heard[0], "one is full");
  EXPECT_TRUE(heard[1] == large);
  EXPECT_EQ(heard[2], "told 2");
  ASSERT_TRUE(quick.sendText("pub news end"));
  EXPECT_EQ(quick.text(), "end");
  EXPECT_EQ(quick.text(), "told 1");
  // The other has left that topic, and is in the one of who was full.
  ASSERT_TRUE(slow.sendText("sync"));
  for (std::string text = large; text != "sync"; text = slow.text()) {
    ASSERT_TRUE(text == large);
  }
  ASSERT_TRUE(quick.sendText("pub full later"));
  EXPECT_EQ(quick.text(), "told 1");
  EXPECT_EQ(slow.text(), "later");
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
