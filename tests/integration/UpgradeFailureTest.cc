// Upgrades that meet code that is no good, or a bad moment.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/UpgradeFixture.h"

namespace brigade::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// ---- Code that is no good

struct Bad {
  const char* fault;
  const char* reason;  // is in what the command and status say
  // And in what the command says: who serves on.
  const char* end = "; the code that runs serves on, and its clients see";
};
// For the name of the test: gtest prints the bytes otherwise.
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.fault; }
constexpr const char* kWentBack = "; the code before serves on";

class BadCode : public UpgradeTest,
                public ::testing::WithParamInterface<Bad> {};

TEST_P(BadCode, ChangesNothingAndStatusSaysWhy) {
  start();
  const auto before = program.workerPids();
  EXPECT_EQ(ask("set key value"), "set");
  install(std::string("2 ") + GetParam().fault);
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(GetParam().reason), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find(GetParam().end), std::string::npos) << outcome.err;
  EXPECT_NE(program.log().find(GetParam().end), std::string::npos);
  EXPECT_NE(note().find(GetParam().reason), std::string::npos) << note();
  EXPECT_TRUE(eventually(
      [&] { return versions() == std::set<std::string>{"version=1"}; }));
  EXPECT_EQ(ask("get key"), "value");
  EXPECT_EQ(ask("ask now"), "version=1");
  EXPECT_EQ(program.status().at("upgrades"), 0);
  // Good code is taken all the same.
  install("3");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(versions(), std::set<std::string>{"version=3"});
  EXPECT_EQ(note(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Upgrade, BadCode,
    ::testing::Values(Bad{"check-exit", "exit 3: this code is no good"},
                      Bad{"check-crash", "killed by SIG"},
                      Bad{"no-brigade", "no program of brigade's"},
                      Bad{"other-worker", "new is worker 'extra'"},
                      Bad{"master-throws", "a bad start", kWentBack},
                      Bad{"master-throws-5",
                          "an exception that is no std::exception", kWentBack},
                      Bad{"adopt-throws", "a bad heir", kWentBack},
                      Bad{"no-start", "worker 1: told to fail", kWentBack},
                      Bad{"no-start-2", "worker 2: told to fail", kWentBack}),
    [](const auto& param) {
      std::string name = param.param.fault;
      std::erase(name, '-');
      return name;
    });

TEST_F(UpgradeTest, AFileThatIsNoProgramIsRefused) {
  start();
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  std::ofstream(folder.name() + "/text") << "not a program";
  fs::rename(folder.name() + "/text", path);
  EXPECT_EQ(runCommand({BRIGADE_UPGRADE_SUBJECT, "reload", "--run-dir",
                        program.directory()})
                .code,
            1);
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
}

TEST_F(UpgradeTest, OnTheWayBackTheOldCodeHasTheConfigurationThatItTook) {
  const std::string config = folder.name() + "/server.toml";
  std::ofstream(config) << "[worker.front]\ncount = 3\n";
  start({"CONFIG=" + config}, {"--config", config});
  EXPECT_EQ(program.workerPids().size(), 3u);
  install("2 spoils-config");
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("a bad start"), std::string::npos) << outcome.err;
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  EXPECT_EQ(program.workerPids().size(), 3u);
  // What is wrong with it now is said when it is asked for.
  install("3");
  EXPECT_NE(program.command({"reload"}).err.find("unknown"), std::string::npos);
  std::ofstream(config) << "[worker.front]\ncount = 2\n";
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(versions(), std::set<std::string>{"version=3"});
  EXPECT_TRUE(eventually([&] { return program.workerPids().size() == 2; }));
}

// ---- At a bad moment

TEST_F(UpgradeTest, DuringAReloadItWaitsForItsEnd) {
  start();
  ::kill(program.masterPid(), SIGHUP);
  ASSERT_TRUE(eventually(
      [&] { return program.log().find("reloading") != std::string::npos; }));
  install("2");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
}

TEST_F(UpgradeTest, ManyThatAskAtOnceAreAllAnswered) {
  start();
  install("2");
  std::vector<std::thread> askers;
  for (int i = 0; i < 6; ++i) {
    askers.emplace_back([&] {
      const Outcome outcome = program.command({"upgrade"});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
    });
  }
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
}

TEST_F(UpgradeTest, KillsOfWorkersInTheMiddleLoseNoSlot) {
  start();
  for (int i = 2; i < 8; ++i) {
    install(std::to_string(i));
    std::thread upgrade([&] { program.command({"upgrade"}); });
    for (const pid_t pid : childrenOf(program.masterPid())) {
      ::kill(pid, SIGKILL);
    }
    upgrade.join();
    ASSERT_TRUE(eventually([&] {
      const json status = program.status();
      return std::all_of(
          status.at("workers").begin(), status.at("workers").end(),
          [](const json& worker) { return worker.at("state") == "ready"; });
    }));
  }
  install("9");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  EXPECT_EQ(versions(), std::set<std::string>{"version=9"});
}

TEST_F(UpgradeTest, AWorkerThatDiesBesideItComesBackByTheNewCode) {
  start();
  install("2");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  const pid_t victim = program.workerPids().front();
  ::kill(victim, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !hasPid(victim); }));
  ASSERT_TRUE(eventually(
      [&] { return versions() == std::set<std::string>{"version=2"}; }));
}

TEST_F(UpgradeTest, AStopInTheMiddleStops) {
  start();
  install("2 check-hang");
  Outcome upgraded;
  std::thread upgrade([&] { upgraded = program.command({"upgrade"}); });
  EXPECT_TRUE(eventually(
      [&] { return program.log().find("checking") != std::string::npos; }));
  ::kill(program.masterPid(), SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  upgrade.join();
  EXPECT_EQ(upgraded.code, 1);
  EXPECT_NE(upgraded.err.find("stopping"), std::string::npos) << upgraded.err;
}

TEST_F(UpgradeTest, CodeThatCannotLeaveGoesOn) {
  start();
  install("2 leave-throws");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  install("3");
  const Outcome outcome = program.command({"upgrade"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("onMasterUpgrade: an exception that is no"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(program.command({"reload"}).code, 1) << "the file is another";
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
}

TEST_F(UpgradeTest, SignalsThatComeWhileBadCodeIsLeftAgainAreNotLost) {
  start();
  install("2 adopt-throws");
  for (int i = 0; i < 10; ++i) {
    std::thread upgrade([&] { program.command({"upgrade"}); });
    for (int n = 0; n < 50; ++n) ::kill(program.masterPid(), SIGUSR1);
    upgrade.join();
    ASSERT_TRUE(processExists(program.masterPid()));
  }
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
}

TEST_F(UpgradeTest, WhatIsAskedWhileBadCodeTriesIsAnswered) {
  start();
  for (int i = 0; i < 5; ++i) {
    install(std::to_string(i + 2) + " no-start-2");
    std::vector<std::thread> askers;
    askers.emplace_back(
        [&] { EXPECT_EQ(program.command({"upgrade"}).code, 1); });
    for (int n = 0; n < 3; ++n) {
      askers.emplace_back([&] {
        EXPECT_EQ(program.command({"status", "--json"}).code, 0);
        program.command({"restart-worker", "1"});
        EXPECT_EQ(program.command({"connections"}).code, 0);
      });
    }
    for (std::thread& asker : askers) asker.join();
  }
  EXPECT_TRUE(eventually(
      [&] { return versions() == std::set<std::string>{"version=1"}; }));
}

TEST_F(UpgradeTest, X02_WorkersLeaveWhenTheMasterIsKilledAfterIt) {
  start();
  install("2");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  const auto pids = program.workerPids();
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  for (const pid_t pid : pids) {
    EXPECT_TRUE(eventually([&] { return !processExists(pid); }));
  }
}

}  // namespace
}  // namespace brigade::test
