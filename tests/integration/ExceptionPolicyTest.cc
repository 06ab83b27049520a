// What a process does after an exception that nobody caught.

#include <chrono>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class ExceptionPolicy : public SupervisedTest {
 protected:
  std::uint64_t exceptions() const {
    return program.status().at("totals").at("exceptions").get<std::uint64_t>();
  }
};

TEST_F(ExceptionPolicy, P48_T22_ByItselfItCostsOneConnection) {
  start(1);
  const pid_t before = pidOf(1);
  Wire innocent(program.port());
  ASSERT_EQ(innocent.ask("echo 1"), "1");
  Wire guilty(program.port());
  ASSERT_TRUE(guilty.send("throw\n"));
  EXPECT_EQ(guilty.rest(), "");
  ASSERT_EQ(innocent.ask("throwLater 1"), "soon");
  ASSERT_TRUE(eventually([&] { return exceptions() == 2; }));
  EXPECT_EQ(innocent.ask("echo 2"), "2");
  EXPECT_EQ(pidOf(1), before);
  EXPECT_EQ(countOf("onUncaughtException a callback of 127.0.0.1:"), 1u);
  EXPECT_EQ(countOf("onUncaughtException a timer"), 1u);
  EXPECT_TRUE(logs("server worker 1 [" + std::to_string(before) +
                   "]: exception in a timer: a timer's (std::runtime_error)"));
}

TEST_F(ExceptionPolicy, P48_APolicyThatThrowsIsNone) {
  start(1, {"ON_EXCEPTION=throw"});
  const pid_t before = pidOf(1);
  Wire guilty(program.port());
  ASSERT_TRUE(guilty.send("throw\n"));
  EXPECT_EQ(guilty.rest(), "");
  EXPECT_TRUE(logs("exception in onUncaughtException: asked to throw"));
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
  EXPECT_EQ(pidOf(1), before);
}

TEST_F(ExceptionPolicy, T04_ADrainAnswersWhatIsInFlightAndTakesNothingNew) {
  start(2, {"ON_EXCEPTION=drain"});
  const pid_t before = pidOf(2);
  const auto inFlight = clientOf(before);
  const auto guilty = clientOf(before);
  ASSERT_TRUE(inFlight->send("slow 1000\n"));
  ASSERT_TRUE(guilty->send("throw\n"));
  EXPECT_EQ(guilty->rest(), "") << "the failing one is closed";
  const std::size_t accepted = countOf(std::to_string(before) + " onConnect");
  pid_t successor = 0;
  ASSERT_TRUE(eventually(
      [&] {
        successor = pidOf(2);
        return successor != 0 && successor != before && stateOf(2) == "ready";
      },
      seconds(1)));
  EXPECT_TRUE(processExists(before)) << "it has something to finish";
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo x"), "x");
  }
  EXPECT_EQ(inFlight->line(), "slow done");
  EXPECT_EQ(countOf(std::to_string(before) + " onConnect"), accepted);
  inFlight->reset();
  EXPECT_TRUE(eventually([&] { return !processExists(before); }));
  EXPECT_EQ(worker(2).at("restarts"), 1);
  EXPECT_TRUE(
      worker(2)
          .at("lastExit")
          .get<std::string>()
          .starts_with("left after an exception in a callback of 127.0.0.1:"))
      << worker(2);
}

TEST_F(ExceptionPolicy, T04_T22_ATimersExceptionDrainsAndASecondIsOnlyLogged) {
  start(1, {"ON_EXCEPTION=drain"});
  const pid_t before = pidOf(1);
  const auto client = clientOf(before);
  ASSERT_TRUE(client->send("throwLater 1\nthrowLater 300\nslow 600\n"));
  EXPECT_EQ(client->line(), "soon");
  EXPECT_EQ(client->line(), "soon");
  EXPECT_EQ(client->line(), "slow done");
  client->reset();
  ASSERT_TRUE(eventually([&] { return !processExists(before); }));
  EXPECT_EQ(countOf(std::to_string(before) + " onUncaughtException"), 1u);
  EXPECT_EQ(exceptions(), 2u);
  EXPECT_EQ(worker(1).at("restarts"), 1);
  EXPECT_EQ(worker(1).at("generation"), 2);
}

TEST_F(ExceptionPolicy, T04_WithoutASuccessorItLeavesByTheDeadlineAllTheSame) {
  start(2, {"ON_EXCEPTION=drain", "FAIL_IF=" + orders()},
        {"--stop-timeout", "2"});
  const auto pids = program.workerPids();
  const auto idle = clientOf(pids[0]);  // never closes
  const auto guilty = clientOf(pids[0]);
  order("1");
  const auto begun = Clock::now();
  ASSERT_TRUE(guilty->send("throw\n"));
  EXPECT_EQ(guilty->rest(), "");
  const std::size_t accepted = countOf(std::to_string(pids[0]) + " onConnect");
  ASSERT_TRUE(becomes(1, "backoff"));
  // Its sibling takes what the kernel puts into its queue.
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo others"), "others") << i;
  }
  ASSERT_TRUE(eventually([&] { return !processExists(pids[0]); }));
  EXPECT_LT(Clock::now() - begun, seconds(3));
  EXPECT_EQ(countOf(std::to_string(pids[0]) + " onConnect"), accepted);
  EXPECT_EQ(pidOf(2), pids[1]);
  EXPECT_GE(worker(1).at("restarts"), 2);
  countermand("1");
  EXPECT_TRUE(becomes(1, "ready"));
}

TEST_F(ExceptionPolicy, T04_AnAbortEndsTheProcessAtOnce) {
  start(1, {"ON_EXCEPTION=abort"});
  const pid_t before = pidOf(1);
  const auto inFlight = clientOf(before);
  const auto guilty = clientOf(before);
  ASSERT_TRUE(inFlight->send("slow 60000\n"));
  ASSERT_TRUE(guilty->send("throw\n"));
  EXPECT_EQ(inFlight->line(), std::nullopt);
  ASSERT_TRUE(
      eventually([&] { return pidOf(1) != before && stateOf(1) == "ready"; }));
  EXPECT_EQ(worker(1).at("lastExit"), "exit 70");
  EXPECT_EQ(countOf(std::to_string(before) + " onWorkerStop"), 0u);
  EXPECT_TRUE(logs("ends at once after an exception in a callback of"));
}

TEST_F(ExceptionPolicy, T04_AnExceptionAtEveryRequestIsHeldBack) {
  start(1, {"ON_EXCEPTION=drain"}, {"--stop-timeout", "1"});
  for (int i = 0; i < 4; ++i) {
    Wire guilty(program.port());
    ASSERT_TRUE(guilty.send("throw\n"));
    EXPECT_EQ(guilty.rest(), "");
  }
  EXPECT_TRUE(logs("leaves after an exception in a callback of"));
  EXPECT_TRUE(
      eventually([&] { return childrenOf(program.masterPid()).size() == 1; }));
  EXPECT_TRUE(becomes(1, "ready"));
  EXPECT_EQ(worker(1).at("restarts"), 4);
}

// Wherever an exception comes from, what becomes of its process is the same.
class ExceptionSource : public ExceptionPolicy,
                        public ::testing::WithParamInterface<const char*> {
 protected:
  // The exception of the process that serves now.
  void provoke(Wire& client) const {
    ASSERT_TRUE(client.send(std::string(GetParam()) + "\n"));
  }
};

TEST_P(ExceptionSource, T22_ItIsCountedLoggedAndToldOnceAndTheProcessGoesOn) {
  start(1);
  const pid_t before = pidOf(1);
  Wire innocent(program.port());
  ASSERT_EQ(innocent.ask("echo 1"), "1");
  Wire guilty(program.port());
  provoke(guilty);
  ASSERT_TRUE(eventually([&] { return exceptions() == 1; }));
  EXPECT_TRUE(logs("exception"));
  EXPECT_TRUE(eventually([&] { return countOf("onUncaughtException") == 1; }));
  EXPECT_EQ(innocent.ask("echo 2"), "2");
  EXPECT_EQ(pidOf(1), before);
}

TEST_P(ExceptionSource, T04_T22_ADrainHasASuccessorAndFinishesWhatIsInFlight) {
  start(1, {"ON_EXCEPTION=drain"});
  const pid_t before = pidOf(1);
  const auto inFlight = clientOf(before);
  const auto guilty = clientOf(before);
  ASSERT_TRUE(inFlight->send("slow 500\n"));
  provoke(*guilty);
  ASSERT_TRUE(
      eventually([&] { return pidOf(1) != before && stateOf(1) == "ready"; }));
  EXPECT_EQ(inFlight->line(), "slow done");
  inFlight->reset();
  guilty->reset();
  ASSERT_TRUE(eventually([&] { return !processExists(before); }));
  EXPECT_EQ(countOf(std::to_string(before) + " onUncaughtException"), 1u);
  EXPECT_TRUE(eventually([&] { return !worker(1).at("lastExit").is_null(); }));
  EXPECT_TRUE(worker(1)
                  .at("lastExit")
                  .get<std::string>()
                  .starts_with("left after an exception in "))
      << worker(1);
}

TEST_P(ExceptionSource, T04_T22_AnAbortEndsItAtOnce) {
  start(1, {"ON_EXCEPTION=abort"});
  const pid_t before = pidOf(1);
  const auto guilty = clientOf(before);
  provoke(*guilty);
  ASSERT_TRUE(
      eventually([&] { return pidOf(1) != before && stateOf(1) == "ready"; }));
  EXPECT_EQ(worker(1).at("lastExit"), "exit 70");
  EXPECT_EQ(countOf(std::to_string(before) + " onWorkerStop"), 0u);
  EXPECT_TRUE(logs("ends at once after an exception in "));
}

INSTANTIATE_TEST_SUITE_P(From, ExceptionSource,
                         ::testing::Values("throw", "throwLater 1",
                                           "throwSleep 1", "throwAnswer"),
                         [](const auto& source) {
                           const std::string words = source.param;
                           return words.substr(0, words.find(' '));
                         });

}  // namespace
}  // namespace brigade::test
