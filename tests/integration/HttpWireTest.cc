// The cases of HttpWireCases.h against the running server.
//
// Every case is sent whole over TCP, and one byte at a time over a Unix socket,
// each byte taken by the server before the next; short ones also cut in two at
// every position. The answers are the same.

#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <memory>
#include <sstream>

#include "tests/integration/support/HttpWireCases.h"
#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

// ---- How it is sent, and what must come back

struct Server {
  std::unique_ptr<Program> program;
  std::string path;  // of its Unix socket; empty: a port

  Wire connect() const {
    return path.empty() ? Wire(program->port()) : Wire(path);
  }
};

Server startServer(const std::string& name, bool onUnixSocket) {
  Server server;
  server.program = std::make_unique<Program>(example(name));
  if (onUnixSocket) server.path = server.program->directory() + "/wire.sock";
  server.program->start({"--listen", onUnixSocket
                                         ? "http+unix://" + server.path
                                         : std::string("http://127.0.0.1:0")});
  return server;
}

// A request that has an answer of its own, which nothing before it can have.
void expectKept(Wire& wire) {
  const std::string mark = "the next request";
  ASSERT_TRUE(wire.send(
      request("POST /echo HTTP/1.1",
              "Content-Length: " + std::to_string(mark.size()) + "\r\n") +
      mark));
  const auto answer = nextAnswer(wire);
  ASSERT_TRUE(answer) << "closed, and should be kept";
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, mark);
  EXPECT_EQ(wire.received(), "") << "more than the answer";
}

void expectClosed(Wire& wire) {
  EXPECT_TRUE(wire.isClosed())
      << "not closed, or more behind the last answer: " << wire.received();
}

void expectWaits(Wire& wire) {
  EXPECT_FALSE(wire.somethingIsThere()) << "does not wait";
  wire.halfClose();
  expectClosed(wire);
}

// What becomes of the connection, behind the last answer.
void expectFate(Wire& wire, const WireCase& c, const std::string& fate,
                const HttpAnswer& last) {
  if (fate == "kept") {
    EXPECT_FALSE(last.closes()) << last.head;
    expectKept(wire);
  } else if (fate == "closed") {
    // Whoever shuts his side needs not be told.
    EXPECT_TRUE(last.closes() || c.halfClose) << last.head;
    expectClosed(wire);
  } else {
    ASSERT_EQ(fate, "waits");
    expectWaits(wire);
  }
}

void expectAnswers(Wire& wire, const WireCase& c) {
  std::istringstream words(c.answers);
  std::string word;
  HttpAnswer last;
  while (words >> word && std::isdigit(static_cast<unsigned char>(word[0]))) {
    const auto answer = nextAnswer(
        wire, word.ends_with('-') ? AnswerTo::kHead : AnswerTo::kOther);
    ASSERT_TRUE(answer) << "no answer, expected " << word;
    last = *answer;
    // An optional one that is left out: this is the next.
    if (word.ends_with('?') && last.status != std::stoi(word)) words >> word;
    ASSERT_EQ(last.status, std::stoi(word)) << last.head << last.body;
  }
  if (!c.last.empty()) {
    EXPECT_EQ(last.body, c.last);
  }
  expectFate(wire, c, word, last);
}

// Once refused, the server takes no more: what cannot be sent is not missed.
void run(const Server& server, const WireCase& c, const std::string& how,
         const std::function<void(Wire&)>& send) {
  SCOPED_TRACE("RFC " + c.name + ", sent " + how);
  Wire wire = server.connect();
  ASSERT_TRUE(wire.connected());
  send(wire);
  if (c.halfClose) wire.halfClose();
  expectAnswers(wire, c);
}

class HttpWireTest : public ::testing::TestWithParam<WireGroup> {};

TEST_P(HttpWireTest, W12_IsAnsweredWhenItComesAtOnce) {
  const Server server = startServer(GetParam().server, false);
  for (const WireCase& c : GetParam().cases) {
    run(server, c, "at once", [&](Wire& wire) { wire.send(c.bytes); });
  }
  EXPECT_EQ(server.program->status().at("totals").at("exceptions"), 0);
}

TEST_P(HttpWireTest, IsAnsweredAlikeWhenItComesByteByByte) {
  const Server server = startServer(GetParam().server, true);
  for (const WireCase& c : GetParam().cases) {
    // Long ones in steps that meet no boundary, their ends byte by byte.
    const std::size_t fast = c.bytes.size() < 2000 ? 0 : c.bytes.size() - 100;
    run(server, c, "byte by byte", [&](Wire& wire) {
      if (wire.sendInSteps(std::string_view(c.bytes).substr(0, fast), 61)) {
        wire.sendInSteps(std::string_view(c.bytes).substr(fast));
      }
    });
    if (HasFatalFailure()) break;
  }
}

TEST_P(HttpWireTest, IsAnsweredAlikeWhereverItIsCut) {
  const Server server = startServer(GetParam().server, true);
  for (const WireCase& c : GetParam().cases) {
    if (c.bytes.size() > 100) continue;
    for (std::size_t cut = 1; cut < c.bytes.size(); ++cut) {
      run(server, c, "cut at " + std::to_string(cut), [&](Wire& wire) {
        wire.sendInSteps(c.bytes.substr(0, cut), cut) &&
            wire.send(c.bytes.substr(cut));
      });
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Messages, HttpWireTest,
                         ::testing::ValuesIn(httpMessageCases()),
                         [](const auto& group) { return group.param.name; });
INSTANTIATE_TEST_SUITE_P(Connections, HttpWireTest,
                         ::testing::ValuesIn(httpConnectionCases()),
                         [](const auto& group) { return group.param.name; });

TEST(HttpWireTableTest, HasCasesEnough) {
  std::size_t count = 0;
  for (const WireGroup& group : httpMessageCases()) count += group.cases.size();
  for (const WireGroup& group : httpConnectionCases()) {
    count += group.cases.size();
  }
  EXPECT_GE(count, 120u);
}

}  // namespace
}  // namespace brigade::test
