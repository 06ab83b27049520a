// What an HttpWorker does over time: time-outs, late answers, clients that do
// not read, many clients, drain and stop.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

#include "brigade/Protocol/HttpDate.h"
#include "tests/integration/HttpFixture.h"

namespace brigade::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Environment = std::vector<std::string>;

class HttpServingTest : public HttpFixture {};

// ---- Time-outs

// Bytes that keep coming do not prolong it (slow-loris), and whoever else is
// there does not notice.
TEST_F(HttpServingTest, W17_AHeadThatTakesTooLongIsAnsweredWith408) {
  start({"HEADER_TIMEOUT=300"});
  Wire other = connect();
  const auto begin = Clock::now();
  send("GET / HTTP/1.1\r\nHost: a\r\n");
  pollfd poll{wire_->fd(), POLLIN, 0};
  while (::poll(&poll, 1, 20) == 0) {
    ASSERT_LT(Clock::now() - begin, 10s);
    wire_->send("X: y\r\n");
    ASSERT_TRUE(other.send(get("/")));
    ASSERT_TRUE(nextAnswer(other));
  }
  EXPECT_GE(Clock::now() - begin, 250ms);
  EXPECT_EQ(answer(), "408 408 Request Timeout\n");
  expectClosed();
}

// What the body of so many one-byte chunks costs its process: the least of
// some, since others have the machine's caches and processors meanwhile.
double cpuOfChunks(Wire& wire, pid_t worker, std::size_t chunks) {
  std::string request =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < chunks; ++i) request += "1\r\nx\r\n";
  request += "0\r\n\r\n";
  double least = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double before = cpuSeconds(worker);
    EXPECT_TRUE(wire.send(request));
    const auto answer = nextAnswer(wire);
    least = std::min(least, cpuSeconds(worker) - before);
    EXPECT_TRUE(answer && answer->body == std::string(chunks, 'x'));
  }
  return least;
}

// Four times the chunks are four times the work; where each one costs what has
// come before it, sixteen times. In between there is room for any machine. Not
// the calls of the codec are counted: those are as many either way.
TEST_F(HttpServingTest, W08_OneByteChunksCostTheSameEachHoweverMany) {
  start();
  const pid_t worker = subject_.workerPid(1);
  const double some = cpuOfChunks(*wire_, worker, 100'000);
  const double many = cpuOfChunks(*wire_, worker, 400'000);  // 2.4 MB
  EXPECT_GT(some, 0);
  EXPECT_LT(many, 9 * some);
}

// Without a request for two seconds, and so without a look at the clock.
TEST_F(HttpServingTest, TheDateIsCachedForASecondAndRightInARefusal) {
  start({"HEADER_TIMEOUT=2000"});
  const auto now = [] {
    return std::chrono::system_clock::to_time_t(
        std::chrono::system_clock::now());
  };
  const auto dateOf = [](Wire& wire) -> std::time_t {
    const HttpAnswer answer = nextAnswer(wire).value_or(HttpAnswer());
    const std::string date = answer.field("Date").value_or("none");
    return parseHttpDate(date).value_or(0);
  };
  Wire other = connect();
  std::time_t begin = now();
  for (int i = 0; i < 1000; ++i) {
    Wire& wire = i % 2 == 0 ? *wire_ : other;
    ASSERT_TRUE(wire.send(get("/")));
    const std::time_t date = dateOf(wire);
    ASSERT_GE(date, begin);
    ASSERT_LE(date, now());
  }
  begin = now();
  send("GET / HTTP/1.1\r\nHost: a\r\n");
  const std::time_t late = dateOf(*wire_);
  EXPECT_GE(late, begin + 1);
  EXPECT_LE(late, now());
  ASSERT_TRUE(other.send("GET / HTTP/1.1\r\n\r\n"));
  const std::time_t malformed = dateOf(other);
  EXPECT_GE(malformed, late);
  EXPECT_LE(malformed, now());
}

TEST_F(HttpServingTest, WhoSaysNothingIsClosedWithoutAWord) {
  start({"IDLE_TIMEOUT=300"});
  Wire silent = connect();
  EXPECT_EQ(ask(get("/")), "200 hello");
  EXPECT_TRUE(wire_->isClosed()) << wire_->received();
  EXPECT_TRUE(silent.isClosed()) << silent.received();
}

TEST_F(HttpServingTest, ABodyThatDoesNotGoOnIsAnsweredWith408) {
  start({"IDLE_TIMEOUT=300"});
  send(postHead("/echo", "Content-Length: 100\r\n") + "some");
  EXPECT_EQ(answer(), "408 408 Request Timeout\n");
  expectClosed();
}

TEST_F(HttpServingTest, ABodyThatGoesOnSlowlyIsWaitedFor) {
  start({"IDLE_TIMEOUT=1000", "HEADER_TIMEOUT=200"});
  send(postHead("/echo", "Transfer-Encoding: chunked\r\n"));
  const auto begin = Clock::now();
  std::string all;
  pollfd poll{wire_->fd(), POLLIN, 0};
  while (Clock::now() - begin < 1500ms) {
    send(chunk("x"));
    all += "x";
    ASSERT_EQ(::poll(&poll, 1, 50), 0);
  }
  send("0\r\n\r\n");
  EXPECT_EQ(answer(), "200 " + all);
}

TEST_F(HttpServingTest, TheProgramMayTakeLongerThanTheIdleTimeout) {
  start({"IDLE_TIMEOUT=200"});
  EXPECT_EQ(ask(get("/late/1500")), "200 late");
}

// ---- Late answers

TEST_F(HttpServingTest, LateAnswersKeepTheOrderOfTheRequests) {
  start();
  send(get("/late/80") + get("/") + get("/late-stream/40") +
       post("/echo", "body") + get("/late/1") + get("/"));
  EXPECT_EQ(answer(), "200 late");
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_EQ(answer(), "200 first,second");
  EXPECT_EQ(answer(), "200 body");
  EXPECT_EQ(answer(), "200 late");
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_FALSE(wire_->somethingIsThere());
}

TEST_F(HttpServingTest, NonsenseBehindALateAnswerIsRefusedBehindIt) {
  start();
  send(get("/late/50") + "nonsense\r\n" + get("/"));
  EXPECT_EQ(answer(), "200 late");
  EXPECT_TRUE(answer().starts_with("400 "));
  expectClosed();
}

TEST_F(HttpServingTest, WhoShutsHisSideStillGetsALateAnswer) {
  start();
  send(get("/late/50"));
  wire_->halfClose();
  EXPECT_EQ(answer(), "200 late");
  EXPECT_TRUE(wire_->isClosed());
}

TEST_F(HttpServingTest, AClientThatLeavesWhileItsRequestWaitsIsTold) {
  start({"CLOSE_AT_END=1"});
  send(get("/never"));
  ASSERT_TRUE(happened("request /never"));
  wire_.reset();
  EXPECT_TRUE(happened("http ended"));
  EXPECT_TRUE(happened("http closed"));
}

TEST_F(HttpServingTest, ARequestWhoseClientResetsIsClosed) {
  start();
  send(get("/never"));
  ASSERT_TRUE(happened("request /never"));
  const linger reset{1, 0};
  ASSERT_EQ(
      ::setsockopt(wire_->fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
      0);
  wire_.reset();
  EXPECT_TRUE(happened("http closed"));
}

// The request behind it is answered too, though the first answer fills the
// buffer to the mark.
TEST_F(HttpServingTest, NoAnswerIsLostBehindALateOneThatIsBig) {
  start({"MAX_SEND=65536"});
  send(get("/late-big/20000000") + get("/") + get("/late-big/20000000") +
       get("/"));
  ASSERT_TRUE(happened("request /late-big/20000000"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(answer().size(), 20000004u);
    EXPECT_EQ(answer(), "200 hello");
  }
}

// Of an answer that fills the buffer, by itself or with its head.
TEST_F(HttpServingTest, InsideOnBufferFullOnlyTheEndOfAStreamIsTaken) {
  const std::string path = subject_.directory() + "/s.sock";
  const Environment environment = {"EVENT_LOG=" + eventLog(), "MAX_SEND=1000",
                                   "GZIP=yes"};
  subject_.start({"--listen", "http+unix://" + path}, environment);
  for (const std::string call : {"full-send", "full-file", "full-start"}) {
    for (const std::string inside : {"send", "start", "write", "end"}) {
      for (const char* fields : {"", "Accept-Encoding: gzip\r\n"}) {
        std::string request = "/";
        request.append(call).append("/").append(inside);
        SCOPED_TRACE(request + " " + fields);
        std::filesystem::remove(eventLog());
        wire_ = std::make_unique<Wire>(Wire(path));
        send(get(request, fields) + get("/"));
        const bool ends = call == "full-start" && inside == "end";
        EXPECT_TRUE(happened(inside + (ends ? " taken" : " dropped")));
        EXPECT_TRUE(answer().starts_with("200 "));
        EXPECT_EQ(answer(), "200 hello");
      }
    }
  }
}

TEST_F(HttpServingTest, ASecondAnswerToARequestIsDropped) {
  start();
  EXPECT_EQ(ask(get("/twice") + get("/")), "200 first");
  EXPECT_EQ(answer(), "200 hello");
  EXPECT_FALSE(wire_->somethingIsThere());
}

TEST_F(HttpServingTest, AnswersWithoutABodyKeepTheConnection) {
  start();
  EXPECT_EQ(ask(get("/status/204")), "204 ");
  EXPECT_EQ(ask(get("/status/304")), "304 ");
  EXPECT_EQ(ask(get("/start/204")), "204 ");
  EXPECT_EQ(ask(get("/start/304")), "304 ");
  EXPECT_EQ(ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "200 hello");
  send("HEAD /big/1000 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer(AnswerTo::kHead), "200 ");
  EXPECT_EQ(ask(get("/")), "200 hello");
}

// ---- Bodies

// The same whether it comes with its head or behind it.
TEST_F(HttpServingTest, ABodyOfMaxPackageSizeIsTakenAndNotOneByteMore) {
  start({"MAX_PACKAGE=1000"});
  const std::string fits(1000, 'b');
  EXPECT_EQ(ask(post("/echo", fits)), "200 " + fits);
  send(postHead("/echo", "Expect: 100-continue\r\nContent-Length: 1000\r\n"));
  EXPECT_EQ(answer(), "100 ");
  EXPECT_EQ(ask(fits), "200 " + fits);
  EXPECT_EQ(ask(postHead("/echo", "Transfer-Encoding: chunked\r\n") +
                chunk(fits) + "0\r\n\r\n"),
            "200 " + fits);
  EXPECT_EQ(ask(get("/echo", "X: " + std::string(2000, 'x') + "\r\n")), "200 ");
  for (const std::string& bytes :
       {post("/echo", fits + "b"),
        postHead("/echo", "Content-Length: 1001\r\n"),
        postHead("/echo", "Transfer-Encoding: chunked\r\n") +
            chunk(fits + "b") + "0\r\n\r\n"}) {
    SCOPED_TRACE(bytes.substr(0, 90));
    wire_ = std::make_unique<Wire>(connect());
    EXPECT_TRUE(ask(bytes + get("/")).starts_with("413 "));
    expectClosed();
  }
}

TEST_F(HttpServingTest, AStreamedBodyCostsNoMemory) {
  start();
  EXPECT_EQ(ask(post("/count", "abc")),
            "200 3");  // though it came with its head
  const std::size_t before = memory();
  const std::string piece(1 << 20, 'b');
  send(postHead("/count", "Transfer-Encoding: chunked\r\n"));
  for (int i = 0; i < 32; ++i) send(chunk(piece));
  send("0\r\n\r\n");
  EXPECT_EQ(answer(), "200 33554432");
  EXPECT_LT(memory(), before + (4 << 20));
}

TEST_F(HttpServingTest, WhatFollowsAnEarlyAnswerIsNoRequest) {
  start();
  send(postHead("/early", "Content-Length: 1000000\r\n"));
  EXPECT_EQ(answer(), "403 no\n");
  wire_->send(get("/"));
  expectClosed();
  EXPECT_FALSE(wire_->somethingIsThere() && !wire_->received().empty());
}

TEST_F(HttpServingTest, AnInterimStatusIsNoAnswer) {
  start();
  EXPECT_TRUE(ask(get("/status/103")).starts_with("500 "));
}

// ---- Clients that do not read, and many of them

TEST_F(HttpServingTest, AClientThatDoesNotReadCostsNoMemory) {
  // Without a sanitizer's store of what was freed.
  start({"ASAN_OPTIONS=quarantine_size_mb=0"});
  EXPECT_EQ(ask(get("/")), "200 hello");
  const std::size_t before = memory();
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += get("/big/100000");
  auto sender =
      std::async(std::launch::async, [&] { return wire_->send(requests); });
  // An answer that waits is where the server stops reading.
  EXPECT_TRUE(eventually([&] { return waiting() > 0; }));
  EXPECT_LT(total("messages"), 500u);
  EXPECT_LT(memory(), before + (8 << 20));
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(answer().size(), 100004u) << i;
  }
  EXPECT_TRUE(sender.get());
  EXPECT_EQ(total("sendFailures"), 0u);
  EXPECT_EQ(ask(get("/")), "200 hello");
}

TEST_F(HttpServingTest, StreamedAnswersToASlowReaderAreWhole) {
  // Without a sanitizer's store of what was freed.
  start({"MAX_SEND=32768", "ASAN_OPTIONS=quarantine_size_mb=0"});
  EXPECT_EQ(ask(get("/stream/1000000")).size(), 1000004u);
  const std::size_t before = memory();
  send(get("/stream/20000000") + get("/") + get("/stream/20000000") + get("/"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(answer().size(), 20000004u);
    EXPECT_EQ(answer(), "200 hello");
  }
  EXPECT_LT(memory(), before + (2 << 20));
}

TEST_F(HttpServingTest, TwoHundredClientsKeepTheirConnections) {
  start();
  std::vector<Wire> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect());
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_TRUE(
          clients[i].send(post("/echo", "client " + std::to_string(i))));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const auto next = nextAnswer(clients[i]);
      ASSERT_TRUE(next);
      EXPECT_EQ(next->body, "client " + std::to_string(i));
      EXPECT_FALSE(next->closes());
    }
  }
  EXPECT_EQ(subject_.status().at("totals").at("connections"), 201);
}

// ---- Drain and stop

TEST_F(HttpServingTest, T19_AReloadClosesIdleConnectionsAtOnce) {
  start();
  EXPECT_EQ(ask(get("/")), "200 hello");
  Wire silent = connect();
  ASSERT_TRUE(eventually([&] { return total("connections") == 2; }));
  const auto begin = Clock::now();
  const Outcome reload = subject_.command({"reload"});
  EXPECT_EQ(reload.code, 0) << reload.err;
  EXPECT_TRUE(wire_->isClosed()) << wire_->received();
  EXPECT_TRUE(silent.isClosed());
  EXPECT_LT(Clock::now() - begin, 5s);
  expectServed();
}

TEST_F(HttpServingTest, T19_AReloadClosesBehindTheNextAnswer) {
  start();
  EXPECT_EQ(ask(get("/")), "200 hello");
  send(get("/late/700") + get("/"));
  Wire half = connect();
  ASSERT_TRUE(half.send("GET / HTTP/1.1\r\nHo"));
  ASSERT_TRUE(happened("request /late/700"));
  auto reload = std::async(
      std::launch::async, [this] { return subject_.command({"reload"}).code; });
  EXPECT_EQ(answer(), "200 late");
  expectClosed();
  wire_.reset();
  // It was begun before the drain, and is answered.
  ASSERT_TRUE(half.send("st: a\r\n\r\n"));
  const auto last = nextAnswer(half);
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->closes());
  EXPECT_TRUE(half.isClosed());
  half.close();
  EXPECT_EQ(reload.get(), 0);
  expectServed();
}

TEST_F(HttpServingTest, AGracefulStopWaitsForALateAnswer) {
  start();
  send(get("/late/500"));
  ASSERT_TRUE(happened("request /late/500"));
  auto stop = std::async(std::launch::async, [this] {
    return subject_.command({"stop", "-g"}).code;
  });
  EXPECT_EQ(answer(), "200 late");
  expectClosed();
  wire_.reset();
  EXPECT_EQ(stop.get(), 0);
  EXPECT_EQ(subject_.wait(), 0);
}

}  // namespace
}  // namespace brigade::test
