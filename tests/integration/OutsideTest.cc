// What a program brings itself: an event loop, a protocol, callbacks.

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using namespace std::string_literals;

class Outside : public ::testing::Test {
 protected:
  static std::string netstring(const std::string& text) {
    return std::to_string(text.size()) + ":" + text + ",";
  }
  // What comes back is a netstring, whole.
  static std::string ask(Wire& wire, const std::string& text) {
    if (!wire.send(netstring(text))) return "it is closed";
    while (wire.received().find(':') == std::string::npos) {
      if (!wire.receive()) return "it closes";
    }
    std::string& bytes = wire.received();
    const std::size_t head = bytes.find(':') + 1;
    const std::size_t size = std::stoul(bytes);
    if (!wire.receiveAtLeast(head + size + 1)) return "it closes in between";
    const std::string answer = bytes.substr(head, size);
    EXPECT_EQ(bytes[head + size], ',');
    bytes.erase(0, head + size + 1);
    return answer;
  }
  bool logs(const std::string& text) const {
    return eventually(
        [&] { return program.log().find(text) != std::string::npos; });
  }

  Program program{BRIGADE_OUTSIDE_SUBJECT};
};

TEST_F(Outside, ALoopOfTheProgramsOwnMayBeTypedAndIsListed) {
  EXPECT_EQ(program.command({"start", "--check", "--event", "mine"}).code, 0);
  const std::string file = program.directory() + "/outside.log";  // may stay
  std::ofstream(file) << "[worker]\nevent = 'other'\n";
  const Outcome outcome =
      program.command({"start", "--check", "--config", file});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find(file + ":2: unknown event loop 'other': have "
                                    "libev, epoll"),
            std::string::npos)
      << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with(", mine\n")) << outcome.err;
}

TEST_F(Outside, P32_ALoopAndAProtocolOfTheProgramsOwnMakeAServer) {
  program.start({"--workers", "2"});
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Wire>(program.port()));
    EXPECT_EQ(ask(*clients.back(), "loop"), "poll of its own");
  }
  // All are served side by side, and a timer of one keeps nobody waiting.
  ASSERT_TRUE(clients[0]->send(netstring("tick 200")));
  for (std::size_t i = 1; i < clients.size(); ++i) {
    EXPECT_EQ(ask(*clients[i], "hello"), "hello");
  }
  ASSERT_TRUE(clients[0]->receiveAtLeast(7));
  EXPECT_EQ(clients[0]->received(), "4:tick,");
  // More than a socket takes: the loop says when there is room again.
  const std::string big = ask(*clients[1], "big 20000000");
  EXPECT_EQ(big.size(), 20'000'000u);
}

TEST_F(Outside, P32_TheMasterSupervisesThemAsAnyOther) {
  program.start({"--workers", "2"});
  const auto before = program.workerPids();
  EXPECT_EQ(program.command({"reload"}).code, 0);
  const auto between = program.workerPids();
  EXPECT_NE(between, before);
  ::kill(between[0], SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const pid_t now = program.workerPid(1);
    return now != 0 && now != between[0];
  }));
  Wire client(program.port());
  EXPECT_EQ(ask(client, "still here"), "still here");
  client.close();
  EXPECT_EQ(program.command({"stop", "-g"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Outside, P25_EachAnswerOfAProtocolHasItsOutcome) {
  program.start({"--workers", "1"});
  Wire other(program.port());
  EXPECT_EQ(ask(other, "hello"), "hello");
  {
    // Not yet whole: it is waited for.
    Wire slow(program.port());
    ASSERT_TRUE(slow.send("5:he"));
    EXPECT_EQ(ask(other, "meanwhile"), "meanwhile");
    EXPECT_FALSE(slow.somethingIsThere());
    ASSERT_TRUE(slow.send("llo,"));
    ASSERT_TRUE(slow.receiveAtLeast(8));
    EXPECT_EQ(slow.received(), "5:hello,");
  }
  struct Case {
    std::string bytes;
    std::string line;
  };
  const Case cases[] = {
      {"x", ": protocol error: a netstring of no size"},
      {"1001:",
       ": package too long: of 1007 bytes, more than maxPackageSize "
       "(1000 bytes)"},
      {"3:a\0b,"s, ": protocol error: a zero byte in a netstring"},
      {"!", "the codec has stumbled"},
  };
  for (const Case& each : cases) {
    Wire bad(program.port());
    ASSERT_TRUE(bad.send(each.bytes));
    EXPECT_TRUE(bad.isClosed()) << each.line;
    EXPECT_TRUE(logs(each.line)) << each.line << "\n" << program.log();
    EXPECT_EQ(ask(other, "others go on"), "others go on") << each.line;
  }
}

}  // namespace
}  // namespace brigade::test
