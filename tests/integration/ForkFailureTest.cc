// What becomes of a program when the machine refuses another process.

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

class ForkFailure : public SupervisedTest {
 protected:
  // While it exists nothing is forked.
  const std::string famine = program.directory() + "/no-fork.log";
  void begin() const { std::ofstream{famine}; }
  void end() const { std::filesystem::remove(famine); }

  std::size_t attempts() const {
    const std::string text = program.log();
    const std::string refusal =
        "cannot fork worker 1: Resource temporarily unavailable";
    std::size_t count = 0;
    for (auto at = text.find(refusal); at != std::string::npos;
         at = text.find(refusal, at + 1)) {
      ++count;
    }
    return count;
  }
};

// No process that this one, or one that it has started, has left behind.
bool nobodyIsLeft() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return errno == ECHILD;
}

TEST_F(ForkFailure, P10_P37_AStartThatCannotForkSaysSoAndLeavesNobody) {
  // Orphans come to this process, where they are seen.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  for (const bool daemon : {false, true}) {
    // A daemon is two forks away.
    const unsigned before = daemon ? 2 : 0;
    for (unsigned forks = 0; forks < before + 3; ++forks) {
      Strings words{
          BRIGADE_SUPERVISED_SUBJECT, "start", "--workers", "3", "--run-dir",
          program.directory()};
      if (daemon) words.emplace_back("-d");
      const Outcome outcome =
          runCommand(words, {"NO_FORK_AFTER=" + std::to_string(forks)});
      EXPECT_EQ(outcome.code, 1);
      std::string who = "the daemon";
      if (forks >= before) {
        who = "worker ";
        who += std::to_string(forks - before + 1);
      }
      EXPECT_TRUE(outcome.err.ends_with("cannot fork " + who +
                                        ": Resource temporarily unavailable\n"))
          << outcome.err;
      EXPECT_TRUE(eventually(nobodyIsLeft)) << words.size() << " " << forks;
      EXPECT_EQ(program.command({"status"}).code, 3);
    }
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  start(3);
}

TEST_F(ForkFailure, P10_P37_ASuccessorComesWhenThereAreProcessesAgain) {
  start(2, {"NO_FORK_IF=" + famine, "BACKOFF=20 100 3"});
  const pid_t victim = pidOf(1);
  const pid_t sibling = pidOf(2);
  begin();
  ::kill(victim, SIGKILL);
  // It has not died so often, and so does not give up.
  ASSERT_TRUE(eventually([&] { return attempts() > 4; })) << program.log();
  const auto slot = worker(1);
  EXPECT_EQ(slot.at("state"), "backoff");
  EXPECT_EQ(slot.at("lastExit"), "killed by SIGKILL");
  EXPECT_EQ(slot.at("forkFailure"),
            "cannot fork worker 1: Resource temporarily unavailable");
  EXPECT_NE(program.command({"status"}).out.find("note: cannot fork worker 1"),
            std::string::npos);
  EXPECT_EQ(slot.at("restarts"), 0);
  // Also those clients that the kernel gives to the socket of worker 1.
  const std::string from = "pid=" + std::to_string(sibling) + " ";
  for (int i = 0; i < 40; ++i) {
    const auto answer = Wire(program.port()).ask("id");
    ASSERT_TRUE(answer) << i;
    EXPECT_NE(answer->find(from), std::string::npos) << *answer;
  }
  end();
  ASSERT_TRUE(becomes(1, "ready"));
  EXPECT_EQ(worker(1).at("restarts"), 1);
  EXPECT_EQ(worker(1).at("forkFailure"), "");
  EXPECT_EQ(worker(1).at("lastExit"), "killed by SIGKILL");
  const auto id = clientOf(pidOf(1))->ask("id");
  ASSERT_TRUE(id);
  EXPECT_NE(id->find("gen=2 prev=" + std::to_string(victim) + " "),
            std::string::npos)
      << *id;
}

TEST_F(ForkFailure, P10_P37_OrdersThatNeedAProcessFailAndChangeNothing) {
  start(2, {"NO_FORK_IF=" + famine});
  const auto before = program.workerPids();
  begin();
  const Strings reload{"reload"};
  const Strings restart{"restart-worker", "1"};
  for (const Strings& order : {reload, restart}) {
    const Outcome outcome = program.command(order);
    EXPECT_EQ(outcome.code, 1) << order[0];
    EXPECT_NE(outcome.err.find("cannot fork worker 1: Resource temporarily "
                               "unavailable"),
              std::string::npos)
        << outcome.err;
    EXPECT_EQ(program.workerPids(), before) << order[0];
  }
  end();
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_NE(program.workerPids(), before);
}

TEST_F(ForkFailure, P10_P37_AStopEndsWhatWaitsForAProcess) {
  start(2, {"NO_FORK_IF=" + famine, "BACKOFF=60000 60000 0"});
  begin();
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(eventually([&] { return attempts() == 1; })) << program.log();
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace brigade::test
