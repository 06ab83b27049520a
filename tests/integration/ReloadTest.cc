// Reloads: under load, of what fails, of what is not reloadable, and signals at
// any moment.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "tests/integration/FaultFixture.h"

namespace brigade::test {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class ReloadTest : public FaultFixture {};

struct ReloadCase {
  const char* acceptMode;
  int workers;
  Load::Kind kind;
};

class ReloadUnderLoadTest : public FaultFixture,
                            public ::testing::WithParamInterface<ReloadCase> {};

TEST_P(ReloadUnderLoadTest, W01_AHundredReloadsUnderLoadLoseNothing) {
  const ReloadCase& c = GetParam();
  program.start({"--workers", std::to_string(c.workers)},
                {std::string("ACCEPT_MODE=") + c.acceptMode});
  Load load(program.port(), 4, c.kind);
  for (int i = 0; i < 100; ++i) {
    const Outcome outcome = program.command({"reload"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_GT(load.answered(), 1000u);
  const auto workers = program.status().at("workers");
  ASSERT_EQ(workers.size(), static_cast<std::size_t>(c.workers));
  for (const auto& worker : workers) {
    EXPECT_EQ(worker.at("generation"), 101);
    EXPECT_EQ(worker.at("restarts"), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, ReloadUnderLoadTest,
    ::testing::Values(ReloadCase{"reusePort", 1, Load::Kind::kNewEach},
                      ReloadCase{"reusePort", 4, Load::Kind::kNewEach},
                      ReloadCase{"reusePort", 1, Load::Kind::kKept},
                      ReloadCase{"reusePort", 4, Load::Kind::kKept},
                      ReloadCase{"sticky", 4, Load::Kind::kNewEach},
                      ReloadCase{"shared", 1, Load::Kind::kNewEach},
                      ReloadCase{"shared", 4, Load::Kind::kKept},
                      ReloadCase{"locked", 1, Load::Kind::kKept},
                      ReloadCase{"locked", 4, Load::Kind::kNewEach}),
    [](const auto& test) {
      return std::string(test.param.acceptMode) +
             std::to_string(test.param.workers) +
             (test.param.kind == Load::Kind::kKept ? "Kept" : "New");
    });

TEST_F(ReloadTest, AReloadWhoseSuccessorFailsChangesNothing) {
  // From now on every new process fails.
  const std::string poison = program.directory() + "/poison.log";
  program.start({"--workers", "2"}, {"FAIL_IF_EXISTS=" + poison});
  const auto pids = program.workerPids();
  std::ofstream(poison) << "x";
  Wire kept(program.port());
  ASSERT_EQ(kept.ask("echo x"), "x");
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("poisoned"), std::string::npos) << outcome.err;
  EXPECT_EQ(program.workerPids(), pids);
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
  EXPECT_TRUE(eventually([&] { return total("connections") == 1; }))
      << "the failed one wrote into the figures";
  EXPECT_NE(program.command({"status"}).out.find("reload failed"),
            std::string::npos);
  std::filesystem::remove(poison);
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_NE(program.workerPids(), pids);
}

TEST_F(ReloadTest, AfterAReloadIdleWorkersAreReadyAndNotBusy) {
  program.start({"--workers", "3"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(program.command({"reload"}).code, 0);
    const auto states = [&] {
      std::string all;
      const auto status = program.status();
      for (const auto& worker : status.at("workers")) {
        all += worker.at("state").get<std::string>() + " ";
      }
      return all;
    };
    EXPECT_TRUE(eventually([&] { return states() == "ready ready ready "; }))
        << states();
  }
}

TEST_F(ReloadTest, W21_P19_AWorkerThatIsNotReloadableStays) {
  const std::string events = program.directory() + "/events.log";
  program.start({"--workers", "1"}, {"RELOADABLE=no", "EVENT_LOG=" + events});
  const auto pids = program.workerPids();
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_TRUE(eventually([&] {
    std::ifstream file(events);
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with("onWorkerReload")) return true;
    }
    return false;
  }));
  EXPECT_EQ(program.workerPids(), pids);
}

TEST_F(ReloadTest, X10_SignalsAtAnyMomentOfTheStartEndInAStop) {
  const auto files = [](const Program& of) {
    const std::filesystem::directory_iterator begin(of.directory());
    return std::distance(begin, {});
  };
  const std::function<bool(const Program&)> moments[] = {
      [](const Program&) { return true; },
      // The log of its errors is the first file; its own come one by one.
      [&](const Program& of) { return files(of) > 1; },
      [&](const Program& of) { return files(of) > 2; },
      [](const Program& of) { return !childrenOf(of.masterPid()).empty(); },
      [](const Program& of) { return childrenOf(of.masterPid()).size() > 1; },
      [](const Program& of) { return childrenOf(of.masterPid()).size() > 2; },
      [](const Program& of) { return !of.status().is_null(); },
  };
  for (const auto& moment : moments) {
    for (int round = 0; round < 3; ++round) {
      Program own(BRIGADE_SUBJECT);
      own.launch({"--workers", "3"});
      // Without a pause between two looks: a moment is soon gone.
      const auto deadline = Clock::now() + seconds(20);
      while (!moment(own)) ASSERT_LT(Clock::now(), deadline) << own.log();
      ::kill(own.masterPid(), SIGTERM);
      const int code = own.wait();
      // Before run() has its signals, TERM ends it as it ends any program.
      EXPECT_TRUE(code == 0 || code == -SIGTERM) << code << "\n" << own.log();
    }
  }
}

}  // namespace
}  // namespace brigade::test
