// A number of processes that a reload changes.

#include <algorithm>
#include <fstream>
#include <map>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

class Resize : public SupervisedTest {
 protected:
  const std::string countFile = program.directory() + "/count.log";

  void startWith(unsigned count, Strings environment = {}) {
    want(count);
    environment.push_back("COUNT_FILE=" + countFile);
    start(count, environment);
  }
  void want(unsigned count) const { std::ofstream(countFile) << count; }
  Outcome reloadWith(unsigned count) const {
    want(count);
    return program.command({"reload"});
  }
  std::size_t sockets() const { return listeningSockets(program.port()); }
  std::string indexes() const {
    std::string all;
    const auto status = program.status();
    for (const auto& each : status.at("workers")) {
      all += each.at("index").dump() + " ";
    }
    return all;
  }
  std::map<std::string, int> shares(int connections) const {
    std::map<std::string, int> all;
    for (int i = 0; i < connections; ++i) {
      const std::string id = Wire(program.port()).ask("id").value_or("none");
      ++all[id.substr(0, id.find(' '))];
    }
    return all;
  }
};

TEST_F(Resize, P20_P22_AReloadMayAddProcesses) {
  startWith(1);
  EXPECT_EQ(sockets(), 1u);
  const Outcome reload = reloadWith(4);
  EXPECT_EQ(reload.code, 0) << reload.err;
  EXPECT_EQ(indexes(), "1 2 3 4 ");
  EXPECT_EQ(sockets(), 4u);
  for (unsigned index = 1; index <= 4; ++index) {
    EXPECT_EQ(stateOf(index), "ready") << index;
    const auto client = clientOf(pidOf(index));
    ASSERT_NE(client, nullptr);
    EXPECT_NE(client->ask("id").value_or("").find(" count=4 "),
              std::string::npos);
  }
  EXPECT_TRUE(logs("server: 4 processes, not 1 process any more"));
}

TEST_F(Resize, P04_ConnectionsAreSpreadEvenlyOverMoreAndOverFewer) {
  startWith(2);
  ASSERT_EQ(reloadWith(4).code, 0);
  for (const auto& [who, count] : shares(1000)) {
    EXPECT_GE(count, 150) << who;
    EXPECT_LE(count, 350) << who;
  }
  ASSERT_EQ(reloadWith(2).code, 0);
  ASSERT_TRUE(eventually([&] { return sockets() == 2; }));
  const auto two = shares(400);
  EXPECT_EQ(two.size(), 2u);
  for (const auto& [who, count] : two) EXPECT_GE(count, 120) << who;
}

TEST_F(Resize, P04_OfFewerTheSocketsCloseAndNobodyIsLost) {
  startWith(5);
  Load load(program.port(), 4);
  for (const unsigned count : {1U, 4U, 2U, 5U, 3U}) {
    const Outcome reload = reloadWith(count);
    ASSERT_EQ(reload.code, 0) << reload.err;
    ASSERT_TRUE(eventually([&] {
      return sockets() == count &&
             program.status().at("workers").size() == count;
    })) << count
        << ": " << sockets() << " sockets, workers " << indexes();
  }
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_GT(load.answered(), 500u);
}

TEST_F(Resize, P04_CountsThatChangeFasterThanSocketsCloseLoseNobody) {
  startWith(4);
  Load load(program.port(), 4);
  for (const unsigned count : {1U, 4U, 2U, 3U, 1U, 2U}) {
    ASSERT_EQ(reloadWith(count).code, 0);
  }
  ASSERT_TRUE(eventually([&] { return sockets() == 2; })) << sockets();
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_EQ(shares(200).size(), 2u);
}

TEST_F(Resize, P20_IndexesOfOthersStayWhatTheyAre) {
  startWith(3, {"SECOND=yes"});
  EXPECT_EQ(indexes(), "1 2 3 4 5 ");
  ASSERT_EQ(reloadWith(1).code, 0);
  ASSERT_TRUE(eventually([&] { return indexes() == "1 4 5 "; })) << indexes();
  EXPECT_EQ(worker(4).at("name"), "second");
  const Outcome gone = program.command({"stop-worker", "2"});
  EXPECT_EQ(gone.code, 1);
  EXPECT_NE(gone.err.find("there is no worker 2"), std::string::npos);
  // A gap is filled before the range grows.
  ASSERT_EQ(reloadWith(4).code, 0);
  EXPECT_EQ(indexes(), "1 2 3 4 5 6 ");
  EXPECT_EQ(worker(6).at("name"), "server");
  EXPECT_EQ(worker(6).at("id"), 4);
}

TEST_F(Resize, P39_OtherSettingsChangeInAReloadOrSayThatTheyDoNot) {
  start(1, {"CHANGE=yes"});
  const std::string before = program.address();
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(program.address(), before);
  EXPECT_TRUE(
      logs("server: a change of address, acceptMode waits for the next start"));
  // maxConnections holds for the new process.
  Wire first(program.port());
  ASSERT_EQ(first.ask("echo 1"), "1");
  Wire second(program.port());
  ASSERT_TRUE(second.send("echo 2\n"));
  EXPECT_EQ(first.ask("echo still"), "still");
  EXPECT_EQ(program.status().at("totals").at("connections"), 1);
  first.reset();
  EXPECT_EQ(second.line(), "2");
}

TEST_F(Resize, P20_OneSocketForAllIsKept) {
  startWith(1, {"ACCEPT_MODE=shared"});
  Load load(program.port(), 2);
  ASSERT_EQ(reloadWith(3).code, 0);
  EXPECT_EQ(indexes(), "1 2 3 ");
  EXPECT_EQ(sockets(), 1u);
  ASSERT_EQ(reloadWith(2).code, 0);
  ASSERT_TRUE(eventually([&] { return indexes() == "1 2 "; }));
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
}

TEST_F(Resize, P20_ANewProcessThatCannotStartWaitsLikeAnyOther) {
  startWith(1, {"FAIL_IF=" + orders()});
  order("2");
  const Outcome reload = reloadWith(2);
  EXPECT_EQ(reload.code, 1);
  EXPECT_NE(reload.err.find("worker 2: told to fail"), std::string::npos);
  ASSERT_TRUE(becomes(2, "backoff"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo on"), "on") << i;
  }
  countermand("2");
  EXPECT_TRUE(becomes(2, "ready"));
}

}  // namespace
}  // namespace brigade::test
