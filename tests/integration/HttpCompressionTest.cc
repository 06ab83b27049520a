// Answers that are compressed, and those that are not, of a running server.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/Gunzip.h"
#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using testing::unpacked;

const std::string kGzip = "Accept-Encoding: gzip\r\n";

std::string get(const std::string& path, const std::string& fields = kGzip) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

// What the subject's /text/BYTES is.
std::string text(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) {
    text += "line " + std::to_string(i) + "\n";
  }
  text.resize(size);
  return text;
}

// What its /text-pieces/COUNT is.
std::string repeated(int count) {
  std::string all;
  while (count-- > 0) all += text(100);
  return all;
}

class HttpCompressionTest : public ::testing::Test {
 protected:
  void start(std::vector<std::string> environment = {"GZIP=yes"}) {
    environment.emplace_back("ASAN_OPTIONS=quarantine_size_mb=0");
    subject_.start({"--listen", "http://127.0.0.1:0", "--workers", "1"},
                   environment);
    wire_ = std::make_unique<Wire>(Wire(subject_.port()));
  }

  HttpAnswer ask(const std::string& request,
                 AnswerTo method = AnswerTo::kOther) {
    EXPECT_TRUE(wire_->send(request));
    const auto answer = nextAnswer(*wire_, method);
    EXPECT_TRUE(answer) << request;
    return answer.value_or(HttpAnswer());
  }

  // Bytes of the answer that the client has not taken.
  std::size_t waiting() {
    const Outcome outcome = subject_.command({"connections", "--json"});
    const auto connections = nlohmann::json::parse(outcome.out);
    return connections.at(0).at("sendQueue").get<std::size_t>();
  }

  static void expectPlain(const HttpAnswer& answer, const std::string& body,
                          const char* vary = "Accept-Encoding") {
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("Content-Encoding"), std::nullopt);
    EXPECT_EQ(answer.field("Vary").value_or("no"), vary);
    EXPECT_EQ(answer.body, body);
  }

  static void expectPacked(const HttpAnswer& answer, const std::string& body) {
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("Content-Encoding"), "gzip");
    EXPECT_EQ(answer.field("Vary"), "Accept-Encoding");
    EXPECT_LT(answer.body.size(), body.size());
    EXPECT_EQ(unpacked(answer.body), body + "$");
  }

  Program subject_{BRIGADE_HTTP_SUBJECT};
  std::unique_ptr<Wire> wire_;
};

TEST_F(HttpCompressionTest, NothingIsCompressedUnlessTheProgramAsksForIt) {
  start({});
  expectPlain(ask(get("/text/5000")), text(5000), "no");
  expectPlain(ask(get("/text-pieces/3")), repeated(3), "no");
}

TEST_F(HttpCompressionTest, WhoAcceptsGzipGetsIt) {
  start();
  for (int i = 0; i < 3; ++i) {
    expectPacked(ask(get("/text/5000")), text(5000));
    expectPacked(ask(get("/text-late/500000")), text(500'000));
  }
  expectPacked(ask(get("/text/5000", "Accept-Encoding: br, *;q=0.1\r\n")),
               text(5000));
}

TEST_F(HttpCompressionTest, WhoDoesNotGetsThePlainTextAndVary) {
  start();
  for (const char* fields :
       {"", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n",
        "Accept-Encoding: identity\r\n", "Accept-Encoding: *;q=0\r\n"}) {
    expectPlain(ask(get("/text/5000", fields)), text(5000));
    // One that accepted it before says nothing about the next.
    expectPacked(ask(get("/text/5000")), text(5000));
  }
}

TEST_F(HttpCompressionTest, FromTheLeastToTheMostBytes) {
  start();
  expectPlain(ask(get("/text/1023")), text(1023), "no");
  expectPacked(ask(get("/text/1024")), text(1024));
  expectPacked(ask(get("/text/1048576")), text(1'048'576));
  expectPlain(ask(get("/text/1048577")), text(1'048'577), "no");
  // No type says that it is text.
  expectPlain(ask(get("/big/5000")), std::string(5000, 'x'), "no");
}

TEST_F(HttpCompressionTest, HeadSaysWhatGetWouldSay) {
  start();
  const HttpAnswer whole = ask(get("/text/5000"));
  std::string request = get("/text/5000");
  request.replace(0, 3, "HEAD");
  const HttpAnswer head = ask(request, AnswerTo::kHead);
  EXPECT_EQ(head.field("Content-Length"), whole.field("Content-Length"));
  EXPECT_EQ(head.field("Content-Encoding"), "gzip");
  EXPECT_EQ(head.body, "");
  request = get("/text-pieces/3");
  request.replace(0, 3, "HEAD");
  EXPECT_EQ(ask(request, AnswerTo::kHead).field("Content-Encoding"), "gzip");
  expectPacked(ask(get("/text/5000")), text(5000));
}

TEST_F(HttpCompressionTest, TheTagOfACompressedAnswerIsWeak) {
  start();
  EXPECT_EQ(ask(get("/text-tagged")).field("ETag"), "W/\"one\"");
  EXPECT_EQ(ask(get("/text-tagged", "")).field("ETag"), "\"one\"");
}

TEST_F(HttpCompressionTest, AnAnswerInPiecesIsCompressedAsAWhole) {
  start();
  const std::string body = repeated(200);
  expectPacked(ask(get("/text-pieces/200")), body);
  EXPECT_LT(ask(get("/text-pieces/200")).body.size(), 8000u);
  expectPlain(ask(get("/text-pieces/200", "")), body);
  // HTTP/1.0 has no chunks: it ends with the connection.
  std::string old = get("/text-pieces/200");
  old.replace(old.find("1.1"), 3, "1.0");
  expectPacked(ask(old), body);
}

TEST_F(HttpCompressionTest, APieceCanBeReadAtOnceAlsoWhenMoreFollow) {
  start();
  ASSERT_TRUE(wire_->send(get("/text-pieces/1")));  // which does not end
  std::string piece;
  while (unpacked(piece) != text(100)) {
    ASSERT_TRUE(wire_->receive());
    const std::string& all = wire_->received();
    const std::size_t chunk = all.find("\r\n\r\n");
    if (chunk == std::string::npos) continue;
    const std::size_t begin = all.find("\r\n", chunk + 4);
    if (begin == std::string::npos) continue;
    piece = all.substr(begin + 2);
  }
}

// It pauses where one that is not compressed does, and nothing of it is lost.
TEST_F(HttpCompressionTest, AnAnswerInPiecesWaitsForASlowReader) {
  start({"GZIP=yes", "MAX_SEND=32768"});
  ask(get("/text-noise/1000000"));
  const std::size_t before = memoryBytes(subject_.workerPid(1));
  ASSERT_TRUE(wire_->send(get("/text-noise/20000000")));
  EXPECT_TRUE(eventually([&] { return waiting() > 0; }));
  EXPECT_LT(memoryBytes(subject_.workerPid(1)), before + (2 << 20));
  const auto answer = nextAnswer(*wire_);
  ASSERT_TRUE(answer);
  const std::string all = unpacked(answer->body);
  EXPECT_EQ(all.size(), 20'000'001u);
  EXPECT_TRUE(all.ends_with('$'));
}

// What is dropped was not compressed either: the rest can be read.
TEST_F(HttpCompressionTest, PiecesThatAFullBufferDropsSpoilNothing) {
  start({"GZIP=yes", "MAX_SEND=32768"});
  ASSERT_TRUE(wire_->send(get("/text-flood/50000000")));
  EXPECT_TRUE(eventually([&] { return waiting() > 0; }));
  const auto answer = nextAnswer(*wire_);
  ASSERT_TRUE(answer);
  const std::string all = unpacked(answer->body);
  EXPECT_TRUE(all.ends_with('$'));
  EXPECT_EQ((all.size() - 1) % (16 * 1024), 0u);
  EXPECT_LT(all.size(), 50'000'000u);
}

TEST_F(HttpCompressionTest, AnAnswerThatEndsInsideOnBufferFullIsWhole) {
  start({"GZIP=yes", "MAX_SEND=32768"});
  ASSERT_TRUE(wire_->send(get("/text-full")));
  EXPECT_TRUE(eventually([&] { return waiting() > 0; }));
  const auto answer = nextAnswer(*wire_);
  ASSERT_TRUE(answer);
  const std::string all = unpacked(answer->body);
  EXPECT_TRUE(all.ends_with('$'));
  EXPECT_EQ((all.size() - 1) % (256 * 1024), 0u);
  expectPacked(ask(get("/text/5000")), text(5000));
}

// Before its head it is 500, behind that it is cut; and others are served.
TEST_F(HttpCompressionTest, WithoutMemoryAnAnswerEndsAndNoOther) {
  start();
  const pid_t worker = subject_.workerPid(1);
  unsigned refused = 0;
  unsigned cut = 0;
  std::optional<HttpAnswer> answer;
  do {
    ASSERT_LT(refused + cut, 100u) << "never succeeds";
    Wire wire = Wire(subject_.port());
    const std::string which = std::to_string(refused + cut);
    ASSERT_TRUE(wire.send(get("/text/5000") + get("/text-starved/" + which)));
    answer = nextAnswer(wire);
    ASSERT_TRUE(answer);
    expectPacked(*answer, text(5000));
    answer = nextAnswer(wire);
    if (!answer) ++cut;
    if (answer && answer->status == 500) ++refused;
    if (answer && answer->status == 200) break;
    EXPECT_TRUE(wire.isClosed());
  } while (true);
  expectPacked(*answer, text(5000));
  EXPECT_GT(refused, 1u);
  EXPECT_EQ(subject_.status().at("totals").at("exceptions"), refused + cut);
  EXPECT_EQ(subject_.workerPid(1), worker);
}

TEST_F(HttpCompressionTest, EventsAreNot) {
  start();
  const HttpAnswer answer = ask(get("/text-events"));
  EXPECT_EQ(answer.field("Content-Encoding"), std::nullopt);
  EXPECT_TRUE(answer.body.starts_with("data: line 0\n"));
}

// The stream of an answer is gone with its end.
TEST_F(HttpCompressionTest, AnIdleConnectionHasNoStream) {
  start();
  ask(get("/text-pieces/10"));
  const std::size_t before = memoryBytes(subject_.workerPid(1));
  std::vector<std::unique_ptr<Wire>> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(
        std::exchange(wire_, std::make_unique<Wire>(Wire(subject_.port()))));
    expectPacked(ask(get("/text-pieces/100")), repeated(100));
  }
  EXPECT_LT(memoryBytes(subject_.workerPid(1)), before + (4 << 20));
}

TEST_F(HttpCompressionTest, CurlUnpacksIt) {
  start();
  const std::string url =
      "http://127.0.0.1:" + std::to_string(subject_.port()) + "/text";
  for (const char* path : {"/5000", "-pieces/50", "/10"}) {
    const auto curl = [&](std::vector<std::string> options) {
      options.insert(options.begin(), "/usr/bin/curl");
      options.insert(options.end(), {"-sS", "--max-time", "20", url + path});
      return runCommand(options).out;
    };
    const std::string plain = curl({});
    EXPECT_GE(plain.size(), 10u);
    EXPECT_EQ(curl({"--compressed"}), plain) << path;
  }
}

}  // namespace
}  // namespace brigade::test
