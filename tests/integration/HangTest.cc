// Processes that hang: shown, killed and replaced; and what they keep nobody
// else from.

#include <chrono>
#include <utility>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

class Hang : public SupervisedTest {};

TEST_F(Hang, X04_X09_AWorkerThatSpinsIsKilledAndReplaced) {
  start(2, {"HANG_TIMEOUT=700"});
  const auto before = program.workerPids();
  const auto bystander = clientOf(before[1]);
  const auto stuck = clientOf(before[0]);
  const auto begun = Clock::now();
  ASSERT_TRUE(stuck->send("spin 60000\n"));
  ASSERT_TRUE(becomes(1, "busy"));
  EXPECT_EQ(bystander->ask("echo others"), "others");
  EXPECT_EQ(stuck->line(), std::nullopt);
  EXPECT_GE(Clock::now() - begun, milliseconds(700));
  ASSERT_TRUE(becomes(1, "ready"));
  EXPECT_NE(pidOf(1), before[0]);
  EXPECT_EQ(pidOf(2), before[1]);
  EXPECT_EQ(worker(1).at("lastExit"), "hung for 700 ms (killed by SIGKILL)");
  EXPECT_EQ(countOf("onWorkerExit 1 " + std::to_string(before[0]) +
                    " hung for 700 ms (killed by SIGKILL)"),
            1u);
  EXPECT_TRUE(logs(": hung for 700 ms (killed by SIGKILL)"));
}

TEST_F(Hang, X04_AStoppedWorkerKeepsNobodyWaitingAndIsReplaced) {
  // One socket for all: what is queued is nobody's own.
  start(3, {"ACCEPT_MODE=shared", "HANG_TIMEOUT=3000"});
  const pid_t stopped = pidOf(1);
  ASSERT_EQ(::kill(stopped, SIGSTOP), 0);
  const auto begun = Clock::now();
  ASSERT_TRUE(becomes(1, "unresponsive"));
  EXPECT_EQ(pidOf(1), stopped);
  expectOthersServe();
  EXPECT_LT(Clock::now() - begun, milliseconds(3000)) << "too slow to tell";
  ASSERT_TRUE(eventually([&] { return !processExists(stopped); }));
  EXPECT_GE(Clock::now() - begun, milliseconds(3000));
  ASSERT_TRUE(becomes(1, "ready"));
  EXPECT_EQ(worker(1).at("lastExit"), "hung for 3000 ms (killed by SIGKILL)");
}

TEST_F(Hang, X04_OneThatWorksHardOrSleepsIsLeftAlone) {
  start(2, {"HANG_TIMEOUT=400"});
  const auto before = program.workerPids();
  const auto busy = clientOf(before[0]);
  const auto until = Clock::now() + milliseconds(1500);
  while (Clock::now() < until) {
    ASSERT_TRUE(busy->send("spin 100\necho turned\n"));
    ASSERT_EQ(busy->line(), "turned");
  }
  EXPECT_EQ(program.workerPids(), before) << "worker 2 slept meanwhile";
}

TEST_F(Hang, X11_WithoutATimeOutNobodyLooks) {
  start(2);
  ASSERT_EQ(::kill(pidOf(1), SIGSTOP), 0);
  ASSERT_TRUE(becomes(1, "unresponsive"));
  // voluntary_ctxt_switches, proc(5): how often it fell asleep, so woke up.
  const auto sleeps = [&] {
    std::ifstream file("/proc/" + std::to_string(program.masterPid()) +
                       "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) return line;
    }
    return std::string();
  };
  ASSERT_NE(sleeps(), "");
  // Until what the last status began has come to rest.
  std::string before;
  ASSERT_TRUE(
      eventually([&] { return std::exchange(before, sleeps()) == before; }));
  // Time must pass in which nothing happens.
  const auto until = Clock::now() + milliseconds(1500);
  eventually([&] { return Clock::now() > until; });
  EXPECT_EQ(sleeps(), before);
  ::kill(pidOf(1), SIGCONT);
}

TEST_F(Hang, W04_AStoppedWorkerDoesNotOutliveAStop) {
  start(2, {}, {"--stop-timeout", "1"});
  const auto pids = program.workerPids();
  ASSERT_EQ(::kill(pids[0], SIGSTOP), 0);
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  for (const pid_t pid : pids) EXPECT_FALSE(processExists(pid));
  EXPECT_EQ(countOf(std::to_string(pids[0]) +
                    " not ended within 1000 ms (killed by SIGKILL)"),
            1u)
      << told();
  program.start({"--workers", "1"});
}

}  // namespace
}  // namespace brigade::test
