// Orders to single worker processes, and what a program may be told when.

#include <fcntl.h>
#include <sys/wait.h>

#include <chrono>

#include "brigade/Events/FileDescriptor.h"
#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class WorkerOrders : public SupervisedTest {
 protected:
  // A command that takes its time: runs beside the test, which waits for it.
  pid_t apart(const Strings& words) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::dup2(::open("/dev/null", O_RDWR), STDERR_FILENO);
    Strings all{BRIGADE_SUPERVISED_SUBJECT};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"--run-dir", program.directory()});
    std::vector<char*> argv;
    for (std::string& word : all) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  static int codeOf(pid_t child) {
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_F(WorkerOrders, P41_AStoppedWorkerIsDrainedAndStaysAway) {
  start(3);
  const auto before = program.workerPids();
  const auto inFlight = clientOf(before[1]);
  ASSERT_TRUE(inFlight->send("slow 100\n"));
  const Outcome stop = program.command({"stop-worker", "2"});
  EXPECT_EQ(stop.code, 0) << stop.err;
  EXPECT_EQ(stop.err, "supervised_subject: worker 2 stopped\n");
  EXPECT_EQ(inFlight->line(), "slow done") << "it was drained";
  EXPECT_EQ(stateOf(2), "stopped");
  EXPECT_EQ(pidOf(2), 0);
  EXPECT_FALSE(processExists(before[1]));
  // All clients are served: nobody waits in the queue of the slot.
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo others"), "others") << i;
  }
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(stateOf(2), "stopped") << "not before it is asked for";
  const Outcome start = program.command({"start-worker", "2"});
  EXPECT_EQ(start.code, 0) << start.err;
  EXPECT_EQ(stateOf(2), "ready");
  EXPECT_NE(clientOf(pidOf(2)), nullptr) << "it accepts for itself";
  EXPECT_EQ(worker(2).at("restarts"), 0);
  EXPECT_NE(program.command({"status"}).out.find("ready"), std::string::npos);
}

TEST_F(WorkerOrders, P42_ARestartedWorkerIsReplacedAndNoOther) {
  start(3);
  const auto before = program.workerPids();
  Load load(program.port(), 2);
  for (int i = 0; i < 5; ++i) {
    const Outcome restart = program.command({"restart-worker", "2"});
    EXPECT_EQ(restart.code, 0) << restart.err;
    // One that is still being drained takes no order.
    ASSERT_TRUE(eventually(
        [&] { return childrenOf(program.masterPid()).size() == 3; }));
  }
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_GT(load.answered(), 50u);
  const auto after = program.workerPids();
  EXPECT_EQ(after[0], before[0]);
  EXPECT_NE(after[1], before[1]);
  EXPECT_EQ(after[2], before[2]);
  EXPECT_EQ(worker(2).at("generation"), 6);
  EXPECT_EQ(countOf("onWorkerReload"), 0u);
}

TEST_F(WorkerOrders, P41_P42_OrdersThatMakeNoSenseAreRefusedByName) {
  start(2);
  const auto refusal = [&](const Strings& words, int code) {
    const Outcome outcome = program.command(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    return outcome.err;
  };
  EXPECT_NE(refusal({"stop-worker", "3"}, 1).find("there is no worker 3"),
            std::string::npos);
  EXPECT_NE(refusal({"start-worker", "1"}, 1).find("worker 1 runs already"),
            std::string::npos);
  EXPECT_NE(refusal({"restart-worker", "0"}, 2)
                .find("'0' is not the index of a worker process"),
            std::string::npos);
  EXPECT_NE(refusal({"restart-worker"}, 2).find("index is required"),
            std::string::npos);
}

TEST_F(WorkerOrders, P42_ARestartThatFailsSaysWhyAndChangesNothing) {
  start(1, {"FAIL_IF=" + orders()});
  const pid_t before = pidOf(1);
  order("1");
  const Outcome restart = program.command({"restart-worker", "1"});
  EXPECT_EQ(restart.code, 1);
  EXPECT_NE(restart.err.find("told to fail"), std::string::npos) << restart.err;
  EXPECT_EQ(pidOf(1), before);
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
}

TEST_F(WorkerOrders, T16_AWorkerAsksForAReloadAndThreeAtOnceMakeTwoAtMost) {
  start(3);
  std::vector<std::unique_ptr<Wire>> clients;
  for (const pid_t pid : program.workerPids()) {
    clients.push_back(clientOf(pid));
  }
  Load load(program.port(), 2);
  for (const auto& client : clients) ASSERT_TRUE(client->send("reload\n"));
  for (const auto& client : clients) EXPECT_EQ(client->line(), "asked");
  clients.clear();
  std::size_t most = 0;
  std::size_t fewest = 3;
  ASSERT_TRUE(eventually([&] {
    const auto status = program.status();
    std::size_t ready = 0;
    for (const auto& each : status.at("workers")) {
      if (each.at("state") == "ready" || each.at("state") == "busy") ++ready;
    }
    fewest = std::min(fewest, ready);
    most = std::max(most, childrenOf(program.masterPid()).size());
    return countOf("onMasterReload") >= 1 && status.at("state") == "running";
  }));
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_GT(load.answered(), 50u);
  EXPECT_LE(countOf("onMasterReload"), 2u);
  EXPECT_LE(most, 4u);
  EXPECT_GE(fewest, 3u);
  for (unsigned index = 1; index <= 3; ++index) {
    EXPECT_EQ(worker(index).at("generation"), 1 + countOf("onMasterReload"));
  }
}

TEST_F(WorkerOrders, T16_AReloadIsRefusedWhileTheProgramStops) {
  start(1, {}, {"--stop-timeout", "4"});
  Wire client(program.port());
  ASSERT_EQ(client.ask("echo x"), "x");
  ::kill(program.masterPid(), SIGQUIT);
  ASSERT_TRUE(eventually([&] { return programState() == "shutdown"; }));
  ASSERT_EQ(client.ask("reload"), "asked");
  EXPECT_TRUE(logs("worker 1: no reload: the program is stopping"));
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("the program is stopping"), std::string::npos);
  client.reset();
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(WorkerOrders, P31_StatusTellsWhatTheProgramIsAt) {
  order("all");
  program.launch({"--workers", "2"}, {"HOLD_IF=" + orders()});
  ASSERT_TRUE(eventually([&] { return programState() == "starting"; }));
  const Outcome early = program.command({"reload"});
  EXPECT_EQ(early.code, 1);
  EXPECT_NE(early.err.find("the program is starting"), std::string::npos);
  ::kill(program.masterPid(), SIGHUP);
  EXPECT_TRUE(logs("SIGHUP: no reload: the program is starting"));
  countermand("all");
  ASSERT_TRUE(eventually([&] { return programState() == "running"; }));
  order("2");
  const pid_t reload = apart({"reload"});
  ASSERT_TRUE(eventually([&] { return programState() == "reloading"; }));
  EXPECT_NE(program.command({"status"}).out.find("\nstate reloading, "),
            std::string::npos);
  countermand("2");
  EXPECT_EQ(codeOf(reload), 0);
  EXPECT_EQ(programState(), "running");
  Wire client(program.port());
  ASSERT_EQ(client.ask("echo x"), "x");
  ::kill(program.masterPid(), SIGQUIT);
  ASSERT_TRUE(eventually([&] { return programState() == "shutdown"; }));
  client.reset();
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(WorkerOrders, P31_ASlotThatFailedKeepsNoProgramStarting) {
  order("1");
  program.launch({"--workers", "2"}, {"FAIL_IF=" + orders()});
  ASSERT_TRUE(eventually([&] { return programState() == "running"; }));
  countermand("1");
  EXPECT_EQ(program.command({"reload"}).code, 0) << program.log();
  EXPECT_EQ(stateOf(1), "ready");
}

TEST_F(WorkerOrders, P45_ASecondStopDuringADrainStopsAtOnce) {
  for (const bool bySignal : {true, false}) {
    Program own(BRIGADE_SUPERVISED_SUBJECT);
    own.start({"--workers", "1", "--stop-timeout", "60"});
    Wire idle(own.port());
    ASSERT_EQ(idle.ask("echo x"), "x");
    ::kill(own.masterPid(), SIGQUIT);
    ASSERT_TRUE(
        eventually([&] { return own.status().at("state") == "shutdown"; }));
    ASSERT_TRUE(processExists(own.masterPid()));
    const auto begun = Clock::now();
    if (bySignal) {
      ::kill(own.masterPid(), SIGINT);
    } else {
      EXPECT_EQ(own.command({"stop"}).code, 0);
    }
    EXPECT_EQ(own.wait(), 0);
    EXPECT_LT(Clock::now() - begun, seconds(5));
  }
}

TEST_F(WorkerOrders, T21_P29_AWorkerKnowsItsPlace) {
  start(2);
  const std::string master = std::to_string(program.masterPid());
  const pid_t first = pidOf(2);
  const auto client = clientOf(first);
  EXPECT_EQ(client->ask("id"), "index=2 pid=" + std::to_string(first) +
                                   " gen=1 prev=0 count=2 master=" + master);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(
      eventually([&] { return pidOf(2) != first && stateOf(2) == "ready"; }));
  const pid_t second = pidOf(2);
  EXPECT_EQ(clientOf(second)->ask("id"),
            "index=2 pid=" + std::to_string(second) + " gen=2 prev=" +
                std::to_string(first) + " count=2 master=" + master);
}

}  // namespace
}  // namespace brigade::test
