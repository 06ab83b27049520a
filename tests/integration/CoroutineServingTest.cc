// Functions that wait in their middle, in real processes: ones that answer
// late, are stopped, drained and killed.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class CoroutineServing : public ::testing::Test {
 protected:
  void start(unsigned workers) {
    program.start({"--workers", std::to_string(workers)},
                  {"EVENT_LOG=" + events});
  }
  std::string ask(const std::string& line) {
    return Wire(program.port()).ask(line).value_or("(it closed)");
  }
  // Notes of that process that contain the text; of all: 0.
  std::size_t countOf(const std::string& text, pid_t pid = 0) const {
    std::ifstream file(events);
    std::size_t count = 0;
    const std::string begin = pid == 0 ? "" : std::to_string(pid) + " ";
    for (std::string line; std::getline(file, line);) {
      const bool is = line.find(text) != std::string::npos;
      count += is && line.starts_with(begin) ? 1 : 0;
    }
    return count;
  }
  // Three functions that wait for ever, in the only worker.
  void letThreeWait(Wire& client) {
    EXPECT_EQ(client.ask("wait time"), "waits");
    EXPECT_EQ(client.ask("wait answer"), "waits");
    EXPECT_EQ(client.ask("wait never"), "waits");
    // Nobody has the callback of that one.
    EXPECT_EQ(countOf("let go of never"), 1u);
    EXPECT_EQ(countOf("let go of"), 1u);
  }
  // All of them are gone, each once, without having gone on.
  void expectAllGone(pid_t pid) {
    EXPECT_EQ(countOf("let go of time", pid), 1u);
    EXPECT_EQ(countOf("let go of answer", pid), 1u);
    EXPECT_EQ(countOf("went on"), 0u);
  }

  Program program{BRIGADE_COROUTINE_SUBJECT};
  const std::string events = program.directory() + "/events.log";
};

TEST_F(CoroutineServing, T11_AnAwaitedMapHasOneValueOfEveryProcessByIndex) {
  start(4);
  EXPECT_EQ(ask("map x"), "1:x.1 2:x.2 3:x.3 4:x.4");
}

TEST_F(CoroutineServing,
       T11_AHundredAwaitedMapsNeverMixInAWorkerNorInTheMaster) {
  start(4);
  Wire client(program.port());
  ASSERT_TRUE(client.send("maps 100\nmaster 100\n"));
  EXPECT_EQ(client.line(), "100");
  EXPECT_EQ(client.line(), "100");
}

TEST_F(CoroutineServing, T11_AnAwaitedChangeIsTriedUntilNobodyElseWasQuicker) {
  start(4);
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Wire>(program.port()));
    ASSERT_TRUE(clients.back()->send("add 1\nadd 1\n"));
  }
  bool last = false;
  for (const auto& client : clients) {
    last |= client->line() == "40";
    last |= client->line() == "40";
  }
  EXPECT_TRUE(last) << "each has counted once";
}

TEST_F(CoroutineServing, T11_AClientThatHasLeftIsNotFoundBehindAWait) {
  start(1);
  {
    Wire client(program.port());
    ASSERT_EQ(client.ask("late"), "waits");
  }
  Wire other(program.port());
  ASSERT_TRUE(eventually([&] { return other.ask("clients") == "1"; }));
  EXPECT_EQ(other.ask("release"), "released");
  EXPECT_TRUE(eventually([&] { return countOf("late: gone") == 1; }));
  EXPECT_EQ(countOf("late: there"), 0u);
}

TEST_F(CoroutineServing, T11_WhatWaitsAtAStopIsDestroyedAndNeverGoesOn) {
  start(1);
  const pid_t pid = program.workerPid(1);
  Wire client(program.port());
  letThreeWait(client);
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  expectAllGone(pid);
  std::ifstream file(events);
  std::string all((std::istreambuf_iterator<char>(file)), {});
  EXPECT_LT(all.find("onWorkerStop"), all.find("let go of time"));
}

TEST_F(CoroutineServing, T11_WhatWaitsEndsWithAProcessThatDrains) {
  start(1);
  const pid_t pid = program.workerPid(1);
  {
    Wire client(program.port());
    letThreeWait(client);
  }
  EXPECT_EQ(program.command({"reload"}).code, 0);
  ASSERT_TRUE(eventually([&] { return !processExists(pid); }));
  expectAllGone(pid);
  // What its destructors said has arrived.
  EXPECT_TRUE(eventually([&] { return countOf("hears of time") == 1; }));
  EXPECT_TRUE(eventually([&] { return countOf("hears of answer") == 1; }));
  EXPECT_EQ(ask("map x"), "1:x.1");
}

TEST_F(CoroutineServing, T11_WhatWaitsInAProcessThatIsKilledIsNobodysAnyMore) {
  start(2);
  Wire client(program.port());
  letThreeWait(client);
  const std::string id = client.ask("id").value_or("");
  const auto pid = static_cast<pid_t>(std::stoi(id.substr(id.rfind('=') + 1)));
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto pids = program.workerPids();
    return std::find(pids.begin(), pids.end(), pid) == pids.end() &&
           ask("map x") == "1:x.1 2:x.2";
  }));
  EXPECT_EQ(countOf("went on"), 0u);
}

}  // namespace
}  // namespace brigade::test
