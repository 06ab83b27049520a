// Connections that survive a reload: plain ones.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class HandoverTest : public ::testing::Test {
 protected:
  void start(unsigned workers, std::vector<std::string> environment = {}) {
    environment.push_back("EVENT_LOG=" + events());
    program.start({"--workers", std::to_string(workers)}, environment);
  }
  std::string events() const { return program.directory() + "/events.log"; }
  std::size_t noted(const std::string& event) const {
    std::ifstream file(events());
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with(" " + event)) ++count;
    }
    return count;
  }
  void reload() {
    const Outcome outcome = program.command({"reload"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  std::uint64_t connections() const {
    std::uint64_t sum = 0;
    const auto status = program.status();
    for (const auto& worker : status.at("workers")) {
      sum += worker.at("connections").get<std::uint64_t>();
    }
    return sum;
  }

  Program program{BRIGADE_HANDOVER_SUBJECT};
};

TEST_F(HandoverTest, AConnectionGoesOnInTheSuccessorOverTwentyReloads) {
  start(1);
  Wire wire(program.port());
  std::string pid = wire.ask("pid").value_or("");
  const std::string id = wire.ask("id").value_or("");
  for (int i = 1; i <= 20; ++i) {
    // Three answers are under way, and half a line.
    const std::string n = std::to_string(3 * i);
    ASSERT_TRUE(wire.send("a\nb\nc " + n + "\nhal"));
    reload();
    ASSERT_TRUE(wire.send("f\n"));
    const unsigned first = static_cast<unsigned>(4 * i - 3);
    EXPECT_EQ(wire.line(), std::to_string(first) + " a");
    EXPECT_EQ(wire.line(), std::to_string(first + 1) + " b");
    EXPECT_EQ(wire.line(), std::to_string(first + 2) + " c " + n);
    EXPECT_EQ(wire.line(), std::to_string(first + 3) + " half");
    const std::string now = wire.ask("pid").value_or("");
    EXPECT_NE(now, pid);
    EXPECT_EQ(wire.ask("id"), id);
    pid = now;
  }
  EXPECT_EQ(noted("onConnect"), 1u);
  EXPECT_EQ(noted("onAdopt"), 20u);
  EXPECT_EQ(noted("onClose"), 0u);
  EXPECT_EQ(connections(), 1u);
  wire.close();
  EXPECT_TRUE(eventually([&] { return noted("onClose") == 1; }));
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

TEST_F(HandoverTest, WhatASlowReaderIsOwedArrivesWhole) {
  start(1);
  Wire wire(program.port());
  constexpr std::size_t kBytes = 24 * 1024 * 1024;
  ASSERT_TRUE(wire.send("big " + std::to_string(kBytes) + "\nbehind it\n"));
  ASSERT_TRUE(wire.receiveAtLeast(1));
  for (int i = 0; i < 3; ++i) reload();
  ASSERT_TRUE(wire.receiveAtLeast(kBytes + 1));
  const auto line = wire.line();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->size(), kBytes);
  EXPECT_EQ(line->find_first_not_of('x'), std::string::npos);
  EXPECT_EQ(wire.line(), "1 behind it");
  EXPECT_EQ(noted("onAdopt"), 3u);
}

TEST_F(HandoverTest, WhatTheProgramKeepsIsDrained) {
  start(1);
  Wire stays(program.port());
  Wire goes(program.port());
  EXPECT_EQ(stays.ask("stay"), "stays");
  EXPECT_EQ(goes.ask("x"), "1 x");
  reload();
  EXPECT_TRUE(stays.isClosed());
  EXPECT_EQ(goes.ask("x"), "2 x");
  EXPECT_TRUE(eventually([&] { return noted("onClose") == 1; }));
  EXPECT_EQ(noted("onAdopt"), 1u);
}

TEST_F(HandoverTest, IdsOfNewConnectionsAreNeverThoseOfOldOnes) {
  start(1);
  std::vector<Wire> wires;
  std::vector<std::string> ids;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) {
      wires.emplace_back(program.port());
      ids.push_back(wires.back().ask("id").value_or(""));
    }
    EXPECT_EQ(wires.back().ask("stay"), "stays");
    reload();
    EXPECT_TRUE(wires.back().isClosed());
    wires.pop_back();
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST_F(HandoverTest, AnswersThatAreOwedComeBeforeTheHandover) {
  start(2);
  Wire wire(program.port());
  for (int i = 0; i < 20; ++i) {
    const std::string text = "asked " + std::to_string(i);
    // Of the other one, of itself, and of one that is being replaced.
    ASSERT_TRUE(wire.send("ask 1 " + text + "\nask 2 " + text + "\n"));
    reload();
    EXPECT_EQ(wire.line(), text);
    EXPECT_EQ(wire.line(), text);
  }
}

TEST_F(HandoverTest, AProcessThatRetiresHandsOverToo) {
  start(1);
  Wire wire(program.port());
  EXPECT_EQ(wire.ask("x"), "1 x");
  EXPECT_EQ(program.command({"restart-worker", "1"}).code, 0);
  EXPECT_EQ(wire.ask("x"), "2 x");
  EXPECT_EQ(noted("onAdopt"), 1u);
}

TEST_F(HandoverTest, AKillInTheMiddleLeavesASuccessorThatServes) {
  const std::string file = program.directory() + "/accident.log";
  start(1, {"AT_HANDOVER=9 2", "AT_HANDOVER_FILE=" + file});
  std::ofstream(file) << "x";
  std::vector<Wire> wires;
  for (int i = 0; i < 3; ++i) {
    wires.emplace_back(program.port());
    ASSERT_EQ(wires.back().ask("x"), "1 x");
  }
  program.command({"reload"});
  for (Wire& wire : wires) EXPECT_TRUE(wire.isClosed());
  std::filesystem::remove(file);
  EXPECT_EQ(Wire(program.port()).ask("x"), "1 x");
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

// It is killed when it has not drained in time, and so is told nothing.
TEST_F(HandoverTest, AStoppedProcessIsReplacedAllTheSame) {
  start(1);
  const pid_t before = program.workerPid(1);
  Wire wire(program.port());
  ASSERT_EQ(wire.ask("x"), "1 x");
  ::kill(before, SIGSTOP);
  reload();
  EXPECT_EQ(Wire(program.port()).ask("y"), "1 y");
  EXPECT_NE(program.workerPid(1), before);
  EXPECT_TRUE(wire.isClosed());
  EXPECT_TRUE(eventually([&] { return !processExists(before); }));
}

TEST_F(HandoverTest, OneThatStopsInTheMiddleComesBackTooLateAndKeepsItsOwn) {
  const std::string file = program.directory() + "/accident.log";
  start(1, {"AT_HANDOVER=19 1", "AT_HANDOVER_FILE=" + file});
  std::ofstream(file) << "x";
  const pid_t before = program.workerPid(1);
  Wire wire(program.port());
  ASSERT_EQ(wire.ask("x"), "1 x");
  auto reloaded = std::async(std::launch::async,
                             [&] { return program.command({"reload"}).code; });
  // The successor waits for it, and then no more.
  EXPECT_TRUE(eventually([&] { return program.workerPid(1) != before; }));
  EXPECT_EQ(Wire(program.port()).ask("y"), "1 y");
  std::filesystem::remove(file);
  ASSERT_TRUE(wire.send("z\n"));
  ::kill(before, SIGCONT);
  EXPECT_EQ(wire.line(), "2 z");
  EXPECT_TRUE(wire.isClosed());
  EXPECT_EQ(reloaded.get(), 0);
  EXPECT_EQ(noted("onAdopt"), 0u);
}

TEST_F(HandoverTest, AConnectionThatIsNotAdoptedIsClosedOnce) {
  start(1, {"RUDE=yes"});
  Wire wire(program.port());
  ASSERT_EQ(wire.ask("x"), "1 x");
  reload();
  EXPECT_TRUE(wire.isClosed());
  EXPECT_TRUE(eventually([&] { return noted("onClose") == 1; }));
  EXPECT_EQ(Wire(program.port()).ask("x"), "1 x");
}

}  // namespace
}  // namespace brigade::test
