// How processes end, what is said of it, and how they come back.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class Supervision : public SupervisedTest {
 protected:
  // Does `harm` to worker 1, and returns what status, log and onWorkerExit say
  // of its end; a failure when they differ.
  std::string endOf(const std::function<void(Wire&, pid_t)>& harm) {
    const pid_t victim = pidOf(1);
    const auto client = clientOf(victim);
    harm(*client, victim);
    EXPECT_TRUE(eventually([&] { return !processExists(victim); }));
    const std::string end = "onWorkerExit 1 " + std::to_string(victim) + " ";
    EXPECT_TRUE(eventually([&] { return countOf(end) == 1; })) << told();
    EXPECT_TRUE(becomes(1, "ready"));
    const auto text = worker(1).at("lastExit").get<std::string>();
    EXPECT_EQ(countOf(end + text), 1u) << text << "\n" << told();
    EXPECT_NE(program.log().find("pid " + std::to_string(victim) + ": " + text),
              std::string::npos)
        << text;
    return text;
  }
};

// ---- Why a process ended

TEST_F(Supervision, X09_EveryEndHasATextOfItsOwn) {
  start(1, {"FAIL_IF=" + orders(), "HANG_TIMEOUT=1500"},
        {"--stop-timeout", "1"});
  std::set<std::string> texts;
  texts.insert(endOf([](Wire& client, pid_t) { client.send("exit 3\n"); }));
  EXPECT_TRUE(texts.contains("exit 3"));
  const std::string crash =
      endOf([](Wire& client, pid_t) { client.send("segv\n"); });
  // Whether a core is dumped is the machine's business (core(5)).
  EXPECT_TRUE(crash == "killed by SIGSEGV" ||
              crash == "killed by SIGSEGV (core dumped)")
      << crash;
  texts.insert(crash);
  texts.insert(endOf([](Wire&, pid_t pid) { ::kill(pid, SIGKILL); }));
  EXPECT_TRUE(texts.contains("killed by SIGKILL"));
  texts.insert(endOf([](Wire& client, pid_t) { client.send("spin 60000\n"); }));
  EXPECT_TRUE(texts.contains("hung for 1500 ms (killed by SIGKILL)"));
  // Told to end, it does not.
  texts.insert(endOf([&](Wire& client, pid_t) {
    client.send("spin 60000\n");
    EXPECT_TRUE(becomes(1, "busy"));
    EXPECT_EQ(program.command({"restart-worker", "1"}).code, 0);
  }));
  EXPECT_TRUE(texts.contains("not ended within 1000 ms (killed by SIGKILL)"));
  order("1");
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(eventually([&] { return countOf("failed to start") >= 2; }));
  texts.insert(worker(1).at("lastExit").get<std::string>());
  EXPECT_TRUE(texts.contains("failed to start: told to fail (exit 1)"));
  countermand("1");
  EXPECT_EQ(texts.size(), 6u);
}

// ---- Starts that fail

TEST_F(Supervision, X01_AStartOfWhichEveryProcessFailsIsOver) {
  for (const char* how : {"throw", "exit"}) {
    order("all", how);
    const auto begun = Clock::now();
    const Outcome outcome =
        runCommand({BRIGADE_SUPERVISED_SUBJECT, "start", "-d", "--workers", "3",
                    "--run-dir", program.directory()},
                   {"FAIL_IF=" + orders()});
    EXPECT_LT(Clock::now() - begun, seconds(5));
    EXPECT_EQ(outcome.code, 1) << how;
    EXPECT_NE(outcome.err.find(how == std::string("exit")
                                   ? "failed to start (exit 3)"
                                   : "cannot start: told to fail"),
              std::string::npos)
        << outcome.err;
    EXPECT_EQ(program.command({"status"}).code, 3) << "nothing is left";
  }
}

TEST_F(Supervision, X01_ASlotThatDiesTooOftenFailsAndTheOthersGoOn) {
  start(3, {"FAIL_IF=" + orders(), "BACKOFF=10 50 4"});
  const auto before = program.workerPids();
  order("2", "exit");
  ::kill(before[1], SIGKILL);
  ASSERT_TRUE(becomes(2, "failed"));
  EXPECT_EQ(worker(2).at("lastExit"), "failed to start (exit 3)");
  EXPECT_TRUE(logs("; it died too often: none follows"));
  EXPECT_EQ(countOf("onWorkerStart 2"), 4u) << "one and three, four deaths";
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo others"), "others") << i;
  }
  EXPECT_EQ(pidOf(1), before[0]);
  const Outcome early = program.command({"start-worker", "2"});
  EXPECT_EQ(early.code, 1);
  EXPECT_NE(early.err.find("exit 3"), std::string::npos) << early.err;
  countermand("2");
  EXPECT_TRUE(eventually([&] {
    return stateOf(2) == "ready" ||
           program.command({"start-worker", "2"}).code == 0;
  }));
  EXPECT_TRUE(becomes(2, "ready"));
}

TEST_F(Supervision, C19_X01_TheDelayIsConfigurableAndBlocksNobody) {
  start(2, {"FAIL_IF=" + orders(), "BACKOFF=2000 4000 0"});
  order("1");
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(becomes(1, "backoff"));
  EXPECT_GT(worker(1).at("backoff").get<double>(), 1.0);
  const auto begun = Clock::now();
  countermand("1");
  expectOthersServe();
  ASSERT_TRUE(becomes(1, "ready"));
  EXPECT_GT(Clock::now() - begun, milliseconds(1000));
  EXPECT_LT(Clock::now() - begun, milliseconds(4000));
}

// ---- Races

TEST_F(Supervision, X10_ATermAtAnyMomentOfTheStartEndsIt) {
  // Seeded: the same twenty moments each time.
  std::mt19937 random(20);
  std::uniform_int_distribution<int> moment(0, 300);
  for (int i = 0; i < 20; ++i) {
    Program own(BRIGADE_SUPERVISED_SUBJECT);
    own.launch({"--workers", "3"});
    const auto at = Clock::now() + milliseconds(moment(random));
    while (Clock::now() < at) std::this_thread::yield();
    ::kill(own.masterPid(), SIGTERM);
    const int code = own.wait();
    // Before run() has its signals, TERM ends it as it ends any program.
    EXPECT_TRUE(code == 0 || code == -SIGTERM) << code << "\n" << own.log();
  }
}

TEST_F(Supervision, X10_KillsDuringReloadsLoseNoSlot) {
  start(3);
  std::mt19937 random(3);
  for (int i = 0; i < 20; ++i) {
    ::kill(program.masterPid(), SIGHUP);
    const auto children = childrenOf(program.masterPid());
    const auto at = Clock::now() + milliseconds(random() % 40);
    while (Clock::now() < at) std::this_thread::yield();
    ::kill(children[random() % children.size()], SIGKILL);
    ASSERT_TRUE(eventually([&] { return programState() == "running"; })) << i;
  }
  ASSERT_TRUE(eventually([&] {
    return stateOf(1) == "ready" && stateOf(2) == "ready" &&
           stateOf(3) == "ready" && childrenOf(program.masterPid()).size() == 3;
  }));
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
}

TEST_F(Supervision, X10_KillsDuringAStopDoNotHoldItUp) {
  std::mt19937 random(10);
  for (int i = 0; i < 10; ++i) {
    Program own(BRIGADE_SUPERVISED_SUBJECT);
    own.start({"--workers", "3"});
    const auto children = childrenOf(own.masterPid());
    ::kill(own.masterPid(), i % 2 == 0 ? SIGTERM : SIGQUIT);
    for (const pid_t pid : children) {
      if (random() % 2 == 0) ::kill(pid, SIGKILL);
    }
    EXPECT_EQ(own.wait(), 0) << own.log();
  }
}

// ---- What the command line refuses

TEST_F(Supervision, M09_FewerProcessesThanNoneAreRefused) {
  const Outcome outcome =
      runCommand({BRIGADE_SUPERVISED_SUBJECT, "start", "--workers", "-1",
                  "--run-dir", program.directory()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("is not a number from 0 to 1024"),
            std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace brigade::test
