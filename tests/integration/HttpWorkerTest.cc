// HttpWorker as its clients see it.

#include <sys/socket.h>

#include <fstream>

#include "tests/integration/WebTest.h"

namespace brigade::test {
namespace {

class HttpWorkerTest : public WebTest {};

TEST_F(HttpWorkerTest, RequestsOfOneConnectionAreAnsweredInTheirOrder) {
  program.start();
  WebClient client = connect();
  // The first is answered last of all by the program.
  ASSERT_TRUE(
      client.send("GET /late/200 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /users/me HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /late/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(client.answer().body, "late 200");
  EXPECT_EQ(client.answer().body, "you");
  EXPECT_EQ(client.answer().body, "late 1");
}

TEST_F(HttpWorkerTest, AnAddressThatItCannotAnswerOnIsRefusedAtTheStart) {
  const std::string refusal =
      "worker 'web': text://127.0.0.1:0: unknown protocol 'text': have http, "
      "websocket\n";
  const std::string file = program.directory() + "/web.log";  // may stay
  std::ofstream(file) << "[worker]\naddress = 'text://127.0.0.1:0'\n";
  for (const char* how : {"-d", "--check"}) {
    Outcome outcome =
        program.command({"start", how, "--listen", "text://127.0.0.1:0"});
    EXPECT_EQ(outcome.code, 2) << how;
    EXPECT_EQ(outcome.err, "web_subject: " + refusal) << how;
    outcome = program.command({"start", how, "--config", file});
    EXPECT_EQ(outcome.code, 2) << how;
    EXPECT_EQ(outcome.err, "web_subject: " + file + ":2: " + refusal) << how;
  }
}

TEST_F(HttpWorkerTest, ABodyIsCollectedHoweverItArrives) {
  program.start();
  WebClient client = connect();
  const std::string body(200'000, 'b');
  ASSERT_TRUE(
      client.send("POST /body HTTP/1.1\r\nHost: a\r\nX-Name: one\r\n"
                  "Content-Length: 200000\r\n\r\n" +
                  body));
  EXPECT_EQ(client.answer().body, "body 200000 of one");
  ASSERT_TRUE(
      client.send("POST /body HTTP/1.1\r\nHost: a\r\nX-Name: two\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n"
                  "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"));
  EXPECT_EQ(client.answer().body, "body 11 of two");
  ASSERT_TRUE(
      client.send("POST /body HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 3\r\n\r\nabc"));
  EXPECT_EQ(client.answer().body, "body 3 of nobody");
}

TEST_F(HttpWorkerTest, ABodyOverTheLimitIs413AndTheEnd) {
  program.start({}, {"MAX_BODY=1000"});
  for (const char* framing :
       {"Content-Length: 100000", "Transfer-Encoding: chunked"}) {
    WebClient client = connect();
    ASSERT_TRUE(client.send("POST /body HTTP/1.1\r\nHost: a\r\n" +
                            std::string(framing) + "\r\n\r\n1388\r\n" +
                            std::string(5000, 'x')));
    EXPECT_EQ(client.answer().status, 413) << framing;
    EXPECT_TRUE(client.ended()) << framing;
  }
}

TEST_F(HttpWorkerTest, AStreamedBodyHasNoLimit) {
  program.start({}, {"MAX_BODY=1000"});
  WebClient client = connect();
  ASSERT_TRUE(
      client.send("POST /size HTTP/1.1\r\nHost: a\r\n"
                  "Content-Length: 3000000\r\n\r\n"));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(client.send(std::string(100'000, 'x')));
  }
  EXPECT_EQ(client.answer().body, "streamed 3000000");
  EXPECT_EQ(client.get("/users/me").body, "you");
}

TEST_F(HttpWorkerTest, W12_WhoExpectsContinueIsToldTo) {
  program.start();
  WebClient client = connect();
  ASSERT_TRUE(
      client.send("POST /body HTTP/1.1\r\nHost: a\r\n"
                  "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  EXPECT_EQ(client.answer().status, 100);
  ASSERT_TRUE(client.send("body"));
  EXPECT_EQ(client.answer().body, "body 4 of nobody");
}

TEST_F(HttpWorkerTest, AnExceptionIs500AndNamedInTheLog) {
  program.start();
  WebClient client = connect();
  EXPECT_EQ(client.get("/throw").status, 500);
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(logged("GET /throw: told to throw"));
  EXPECT_EQ(program.status().at("totals").at("exceptions"), 1);
}

TEST_F(HttpWorkerTest, AnExceptionInTheMiddleOfAnAnswerCutsItOff) {
  program.start();
  WebClient client = connect();
  // Without its last chunk nobody takes it for a whole one.
  EXPECT_EQ(client.get("/half").status, 0);
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpWorkerTest, AHeadThatIsNotFinishedInTimeIs408) {
  program.start({}, {"HEAD_MS=300"});
  WebClient slow = connect();
  WebClient other = connect();
  ASSERT_TRUE(slow.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "));
  EXPECT_EQ(other.get("/users/me").body, "you");
  EXPECT_EQ(slow.answer().status, 408);
  EXPECT_TRUE(slow.ended());
  EXPECT_EQ(other.get("/users/me").body, "you");
}

TEST_F(HttpWorkerTest, AnIdleConnectionEndsAndOneThatWaitsForItsAnswerDoesNot) {
  program.start({}, {"IDLE_MS=300"});
  WebClient idle = connect();
  WebClient waiting = connect();
  EXPECT_EQ(idle.get("/users/me").body, "you");
  ASSERT_TRUE(waiting.send("GET /late/2000 HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_TRUE(idle.ended());
  EXPECT_EQ(waiting.answer().body, "late 2000");
}

TEST_F(HttpWorkerTest, AHalfClosedClientGetsItsAnswer) {
  program.start();
  WebClient client = connect();
  ASSERT_TRUE(client.send("GET /late/100 HTTP/1.1\r\nHost: a\r\n\r\n"));
  client.halfClose();
  EXPECT_EQ(client.answer().body, "late 100");
  EXPECT_TRUE(client.ended());
}

TEST_F(HttpWorkerTest, AReloadEndsIdleConnectionsAtOnceAndAnswersTheOthers) {
  program.start({"--workers", "1"});
  WebClient idle = connect();
  WebClient busy = connect();
  EXPECT_EQ(idle.get("/users/me").body, "you");
  ASSERT_TRUE(busy.send("GET /late/700 HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_TRUE(eventually(
      [&] { return program.status().at("totals").at("messages") == 2; }));
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_TRUE(idle.ended());
  const HttpAnswer answer = busy.answer();
  EXPECT_EQ(answer.body, "late 700");
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(busy.ended());
}

TEST_F(HttpWorkerTest, AClientThatReadsNothingCostsLittleMemory) {
  // Without a sanitizer's store of what was freed.
  program.start({"--workers", "1"}, {"ASAN_OPTIONS=quarantine_size_mb=0"});
  const pid_t pid = program.workerPid(1);
  EXPECT_EQ(connect().get("/users/me").body, "you");
  const std::size_t before = memoryBytes(pid);
  WebClient client = connect();
  std::string request = "GET /files/";
  request.append(8000, 'x').append(" HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string_view rest;
  const auto sendAll = [&] {
    ssize_t n = 0;
    do {
      rest.remove_prefix(static_cast<std::size_t>(n));
      if (rest.empty()) rest = request;
      n = ::send(client.fd(), rest.data(), rest.size(),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n > 0);
  };
  ASSERT_TRUE(eventually([&] {
    sendAll();
    return program.log().find("reads no more") != std::string::npos;
  }));
  // Then it has all that it will ever have.
  sendAll();
  EXPECT_LT(memoryBytes(pid), before + 8'000'000);
  EXPECT_EQ(connect().get("/users/me").body, "you");
}

}  // namespace
}  // namespace brigade::test
