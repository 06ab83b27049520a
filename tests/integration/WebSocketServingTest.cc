// What a WebSocketWorker does besides frames: handshakes, pings of its own,
// time-outs, topics, clients that do not read, drain.

#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <future>

#include "tests/integration/WebSocketFixture.h"

namespace brigade::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using testing::clientFrame;
using testing::closePayload;

constexpr unsigned kText = 0x81;
constexpr unsigned kClose = 0x88;
constexpr unsigned kPing = 0x89;
constexpr unsigned kPong = 0x8A;

class WebSocketServingTest : public WebSocketFixture {};

// ---- Handshakes

struct HandshakeCase {
  std::string name;  // begins with the section of RFC 6455
  std::string bytes;
  int status;
  std::string field = {};  // "Name: value" of the answer
};

// The request of the RFC with one line replaced, or removed.
std::string with(const std::string& line, const std::string& other) {
  std::string request = webSocketRequest();
  const auto at = request.find(line);
  const auto end = request.find("\r\n", at) + 2;
  return request.replace(at, end - at, other.empty() ? "" : other + "\r\n");
}

std::vector<HandshakeCase> handshakes() {
  const std::string accept =
      "Sec-WebSocket-Accept: " + std::string(kWebSocketAccept);
  const std::string version = "Sec-WebSocket-Version: 13";
  return {
      {"4.2.2 a handshake", webSocketRequest(), 101, accept},
      {"4.2.2 its Upgrade", webSocketRequest(), 101, "Upgrade: websocket"},
      {"4.2.2 its Connection", webSocketRequest(), 101, "Connection: Upgrade"},
      {"4.2.1 Upgrade in another case",
       with("Upgrade: w", "Upgrade: WebSocket"), 101, accept},
      {"4.2.1 Connection is a list",
       with("Connection", "Connection: keep-alive, upgrade"), 101, accept},
      {"4.2.1 fields in lower case",
       with("Sec-WebSocket-Version", "sec-websocket-version: 13"), 101, accept},
      {"4.2.1 a target with a query", webSocketRequest("/chat?room=1"), 101,
       accept},
      {"4.2.1 POST", with("GET", "POST / HTTP/1.1"), 405, "Allow: GET"},
      {"4.2.1 no Host", with("Host", ""), 400},
      {"4.2.1 two Hosts", with("Host", "Host: a\r\nHost: b"), 400},
      {"4.2.1 without Upgrade it is plain HTTP", with("Upgrade: w", ""), 200},
      {"4.2.1 another Upgrade is plain HTTP",
       with("Upgrade: w", "Upgrade: h2c"), 200},
      {"4.2.1 Connection without upgrade", with("Connection", "Connection: x"),
       200},
      {"4.2.2 no version", with("Sec-WebSocket-Version", ""), 400},
      {"4.4 version 8",
       with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426, version},
      {"4.4 version 14",
       with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 14"), 426,
       version},
      {"4.2.1 a version twice", webSocketRequest("/", version + "\r\n"), 400},
      {"4.2.1 no key", with("Sec-WebSocket-Key", ""), 400},
      {"4.2.1 an empty key", with("Sec-WebSocket-Key", "Sec-WebSocket-Key:"),
       400},
      {"4.2.1 a key of 15 bytes",
       with("Sec-WebSocket-Key", "Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0"),
       400},
      {"4.2.1 a key that is not base64",
       with("Sec-WebSocket-Key", "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="),
       400},
      {"4.2.1 two keys",
       webSocketRequest("/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
       400},
      {"4.2.1 a body", webSocketRequest("/", "Content-Length: 5\r\n") + "12345",
       400},
      {"4.2.2 a subprotocol that is known",
       webSocketRequest("/", "Sec-WebSocket-Protocol: x, chat\r\n"), 101,
       "Sec-WebSocket-Protocol: chat"},
      {"4.2.2 a malformed subprotocol",
       webSocketRequest("/", "Sec-WebSocket-Protocol: a b\r\n"), 400},
      {"4.2.2 the program refuses", webSocketRequest("/forbidden"), 403},
      {"4.2.2 a malformed extension",
       webSocketRequest("/", "Sec-WebSocket-Extensions: ;\r\n"), 400},
      {"9.1 an extension nobody knows",
       webSocketRequest("/", "Sec-WebSocket-Extensions: x-nothing\r\n"), 101,
       accept},
      {"4.2.1 a bare LF", with("Host", "Host: a\nX: y"), 400},
      {"4.2.1 a folded field", with("Host", "Host: a\r\n b"), 400},
  };
}

TEST_F(WebSocketServingTest, HandshakesAreChecked) {
  start();
  for (const HandshakeCase& c : handshakes()) {
    for (const std::size_t step : {c.bytes.size(), std::size_t{1}}) {
      SCOPED_TRACE("RFC 6455 " + c.name + ", step " + std::to_string(step));
      Wire wire = connect();
      for (std::size_t at = 0; at < c.bytes.size(); at += step) {
        wire.send(std::string_view(c.bytes).substr(at, step));
      }
      const auto answer = nextAnswer(wire);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, c.status) << answer->body;
      EXPECT_TRUE(c.field.empty() ||
                  answer->head.find("\r\n" + c.field + "\r\n") !=
                      std::string::npos)
          << answer->head;
      if (c.status == 101) {
        EXPECT_EQ(ask(wire, "open"), "text open");
      } else if (c.status != 200) {
        EXPECT_TRUE(wire.isClosed()) << wire.received();
      }
    }
  }
}

TEST_F(WebSocketServingTest, ASubprotocolNobodyOfferedIsNotChosen) {
  start();
  Wire wire = connect();
  const auto answer =
      openWebSocket(wire, "/", "Sec-WebSocket-Protocol: x, y\r\n");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 101);
  EXPECT_FALSE(answer->field("Sec-WebSocket-Protocol"));
}

TEST_F(WebSocketServingTest, OnlyAllowedOriginsMayConnect) {
  start({"ORIGIN=https://example.org"});
  const std::pair<const char*, int> cases[] = {
      {"Origin: https://example.org\r\n", 101},
      {"Origin: HTTPS://EXAMPLE.ORG\r\n", 101},
      {"Origin: https://example.org.evil.example\r\n", 403},
      {"Origin: http://example.org\r\n", 403},
      {"Origin: null\r\n", 403},
      {"", 403}};
  for (const auto& [fields, status] : cases) {
    Wire wire = connect();
    const auto answer = openWebSocket(wire, "/", fields);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status) << fields;
  }
}

TEST_F(WebSocketServingTest, FramesMayComeWithTheHandshake) {
  start();
  Wire wire = connect();
  ASSERT_TRUE(wire.send(webSocketRequest("/hello") + clientFrame(kText, "a") +
                        clientFrame(kPing, "b")));
  EXPECT_EQ(nextAnswer(wire)->status, 101);
  EXPECT_EQ(nextEvent(wire), "text welcome");
  EXPECT_EQ(nextEvent(wire), "text a");
  EXPECT_EQ(nextEvent(wire), "pong b");
}

TEST_F(WebSocketServingTest, AHandshakeMayFollowPlainRequests) {
  start();
  const std::string plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  Wire wire = connect();
  ASSERT_TRUE(
      wire.send(plain + plain + webSocketRequest() + clientFrame(kText, "a")));
  EXPECT_EQ(nextAnswer(wire)->body, "hello");
  EXPECT_EQ(nextAnswer(wire)->body, "hello");
  EXPECT_EQ(nextAnswer(wire)->status, 101);
  EXPECT_EQ(nextEvent(wire), "text a");
}

TEST_F(WebSocketServingTest, AnExceptionInTheHandshakeGives500) {
  start();
  Wire wire = connect();
  const auto answer = openWebSocket(wire, "/throw");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_TRUE(wire.isClosed());
  EXPECT_NE(subject_.log().find("GET /throw: no handshake"), std::string::npos);
}

TEST_F(WebSocketServingTest, AnExceptionInACallbackCloses1011) {
  start();
  Wire wire = open("/throw-open");
  EXPECT_EQ(nextEvent(wire), "close 1011");
  Wire other = open();
  EXPECT_EQ(ask(other, "throw"), "close 1011");
  EXPECT_EQ(subject_.status().at("totals").at("exceptions"), 2);
  expectServed();
}

// ---- Ends

TEST_F(WebSocketServingTest, TheProgramIsToldHowItEnded) {
  start();
  Wire polite = open();
  polite.send(clientFrame(kClose, closePayload(4321, "had enough")));
  EXPECT_EQ(nextEvent(polite), "close 4321");
  EXPECT_TRUE(polite.isClosed());
  EXPECT_TRUE(happened("closed 4321 had enough"));
  Wire silent = open();
  silent.send(clientFrame(kClose, ""));
  EXPECT_EQ(nextEvent(silent), "close");
  EXPECT_TRUE(happened("closed 1005 "));
  open().close();
  EXPECT_TRUE(happened("closed 1006 "));
}

TEST_F(WebSocketServingTest, WhoIsSilentIsPingedAndThenGivenUp) {
  start({"PING_INTERVAL=200", "PONG_TIMEOUT=200"});
  Wire wire = open();
  EXPECT_EQ(nextEvent(wire), "ping ");
  wire.send(clientFrame(kPong, ""));
  EXPECT_EQ(nextEvent(wire), "ping ");
  const std::string end = nextEvent(wire);
  EXPECT_TRUE(end == "end" || end.starts_with("close")) << end;
  EXPECT_TRUE(wire.isClosed());
  EXPECT_TRUE(happened("closed 1006 "));
}

TEST_F(WebSocketServingTest, AClientThatDoesNotAnswerACloseIsClosed) {
  start({"CLOSE_TIMEOUT=200"});
  Wire wire = open();
  EXPECT_EQ(ask(wire, "close 4000"), "close 4000");
  EXPECT_TRUE(wire.isClosed());
}

// What keeps coming does not prolong it.
TEST_F(WebSocketServingTest, AClientThatTalksOnBehindACloseIsClosed) {
  start({"CLOSE_TIMEOUT=300"});
  Wire wire = open();
  EXPECT_EQ(ask(wire, "close 4000"), "close 4000");
  const auto begin = Clock::now();
  pollfd poll{wire.fd(), POLLIN, 0};
  while (::poll(&poll, 1, 20) == 0) {
    ASSERT_LT(Clock::now() - begin, 3s) << "never closed";
    wire.send(clientFrame(kText, "and another thing"));
  }
  EXPECT_TRUE(wire.isClosed());
}

TEST_F(WebSocketServingTest, AReloadCloses1001) {
  start();
  Wire wire = open();
  Wire half = open();
  half.send(clientFrame(0x01, "half of a message"));
  EXPECT_EQ(ask(wire, "here"), "text here");
  auto reload = std::async(
      std::launch::async, [this] { return subject_.command({"reload"}).code; });
  for (Wire* client : {&wire, &half}) {
    EXPECT_EQ(nextEvent(*client), "close 1001");
    client->send(clientFrame(kClose, closePayload(1001)));
    EXPECT_TRUE(client->isClosed());
    client->close();
  }
  EXPECT_EQ(reload.get(), 0);
  expectServed();
}

// Its request was begun before the drain.
TEST_F(WebSocketServingTest, OneThatOpensDuringADrainIsClosedWith1001) {
  start();
  Wire idle = connect();
  idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(nextAnswer(idle)->body, "hello");
  Wire late = connect();
  const std::string request = webSocketRequest("/hello");
  late.send(request.substr(0, 40));
  ASSERT_TRUE(eventually([&] {
    const Outcome outcome = subject_.command({"connections", "--json"});
    for (const auto& one : nlohmann::json::parse(outcome.out)) {
      if (one.at("receiveQueue") == 40) return true;
    }
    return false;
  }));
  auto reload = std::async(
      std::launch::async, [this] { return subject_.command({"reload"}).code; });
  EXPECT_TRUE(idle.isClosed()) << "the drain has begun";
  late.send(request.substr(40));
  EXPECT_EQ(nextAnswer(late)->status, 101);
  EXPECT_EQ(nextEvent(late), "text welcome");
  EXPECT_EQ(nextEvent(late), "close 1001");
  late.send(clientFrame(kClose, closePayload(1001)));
  EXPECT_TRUE(late.isClosed());
  EXPECT_EQ(reload.get(), 0);
  EXPECT_TRUE(happened("closed 1001 "));
}

// ---- Topics

TEST_F(WebSocketServingTest, WhatIsPublishedReachesSubscribersOnly) {
  start();
  Wire ada = open();
  Wire bob = open();
  Wire eve = open();
  EXPECT_EQ(ask(ada, "sub news"), "text subscribed");
  EXPECT_EQ(ask(ada, "sub news"), "text subscribed");
  EXPECT_EQ(ask(bob, "sub news"), "text subscribed");
  EXPECT_EQ(ask(eve, "pub news first"), "text published to 2");
  EXPECT_EQ(nextEvent(ada), "text first");
  EXPECT_EQ(nextEvent(bob), "text first");
  EXPECT_EQ(ask(bob, "unsub news"), "text unsubscribed");
  EXPECT_EQ(ask(eve, "pub news second"), "text published to 1");
  EXPECT_EQ(nextEvent(ada), "text second");
  EXPECT_EQ(ask(bob, "still here"), "text still here");
  EXPECT_EQ(ask(eve, "pub other third"), "text published to 0");
  ada.close();
  ASSERT_TRUE(happened("closed 1006 "));
  EXPECT_EQ(ask(eve, "pub news fourth"), "text published to 0");
}

TEST_F(WebSocketServingTest, AHundredSubscribersGetTheSameInOrder) {
  start();
  std::vector<Wire> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(open());
    ASSERT_EQ(ask(clients.back(), "sub all"), "text subscribed");
  }
  Wire speaker = open();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(ask(speaker, "pub all message " + std::to_string(i)),
              "text published to 100");
  }
  for (Wire& client : clients) {
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(nextEvent(client), "text message " + std::to_string(i));
    }
  }
}

// ---- Backpressure

TEST_F(WebSocketServingTest, MessagesAreDroppedAndControlFramesAreNot) {
  start({"MAX_SEND=65536"});
  Wire wire = open();
  const std::size_t before = memory();
  wire.send(clientFrame(kText, "big 1000000 40"));
  wire.send(clientFrame(kPing, "behind it"));
  ASSERT_TRUE(eventually(
      [&] { return subject_.status().at("totals").at("sendFailures") > 0; }));
  EXPECT_LT(memory(), before + (8 << 20));
  unsigned whole = 0;
  std::string event;
  while ((event = nextEvent(wire)).starts_with("binary ")) {
    ASSERT_EQ(event.size(), 1000007u);
    ++whole;
  }
  const unsigned dropped = 40 - whole;
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(event, "ping dropped " + std::to_string(dropped));
  EXPECT_EQ(nextEvent(wire), "pong behind it");
  EXPECT_EQ(subject_.status().at("totals").at("sendFailures"), dropped);
  EXPECT_EQ(ask(wire, "served"), "text served");
}

// It costs the speaker nothing, and the others get all of it.
TEST_F(WebSocketServingTest, ASubscriberThatDoesNotReadHoldsNobodyUp) {
  start({"MAX_SEND=1000000"});
  Wire deaf = open();
  Wire reader = open();
  Wire speaker = open();
  EXPECT_EQ(ask(deaf, "sub all"), "text subscribed");
  EXPECT_EQ(ask(reader, "sub all"), "text subscribed");
  const std::string news(300000, 'n');
  std::string published;
  int count = 0;
  do {
    published = ask(speaker, "pub all " + news);
    ASSERT_EQ(nextEvent(reader), "text " + news);
    ASSERT_LT(++count, 200) << "never dropped";
  } while (published == "text published to 2");
  EXPECT_EQ(published, "text published to 1");
  for (int i = 1; i < count; ++i) ASSERT_EQ(nextEvent(deaf), "text " + news);
  EXPECT_EQ(ask(deaf, "served"), "text served");
}

}  // namespace
}  // namespace brigade::test
