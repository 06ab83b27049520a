// What is promised of master and worker processes, row by row.

#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <random>
#include <utility>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class ProcessModel : public SupervisedTest {
 protected:
  // How often a process has fallen asleep so far (proc(5)).
  static std::string sleeps(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) return line;
    }
    return "gone";
  }
  static std::vector<std::string> sleeps(const std::vector<pid_t>& pids) {
    std::vector<std::string> all;
    for (const pid_t pid : pids) all.push_back(sleeps(pid));
    return all;
  }
  // Time must pass in which nothing happens.
  static void pass(milliseconds time) {
    const auto until = Clock::now() + time;
    eventually([&] { return Clock::now() > until; });
  }
  std::vector<pid_t> everybody() const {
    std::vector<pid_t> all = program.workerPids();
    all.push_back(program.masterPid());
    return all;
  }
  static void expectQuiet(const std::vector<pid_t>& pids, milliseconds time) {
    // Until what the last command began has come to rest.
    std::vector<std::string> before;
    ASSERT_TRUE(eventually([&] {
      const auto last = std::exchange(before, sleeps(pids));
      pass(milliseconds(100));
      return last == before && sleeps(pids) == before;
    }));
    pass(time);
    EXPECT_EQ(sleeps(pids), before);
  }
};

TEST_F(ProcessModel, T01_ZeroProcessesAreOneForEachProcessor) {
  cpu_set_t set;
  ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  start(0);
  EXPECT_EQ(program.workerPids().size(),
            static_cast<std::size_t>(CPU_COUNT(&set)));
  int first = 0;
  while (!CPU_ISSET(static_cast<unsigned>(first), &set)) ++first;
  Program bound(BRIGADE_SUPERVISED_SUBJECT,
                {"/usr/bin/taskset", "-c", std::to_string(first)});
  bound.start({"--workers", "0"});
  EXPECT_EQ(bound.workerPids().size(), 1u);
}

TEST_F(ProcessModel, N11_AProcessHasOneThread) {
  start(2);
  for (const pid_t pid : everybody()) {
    const std::filesystem::directory_iterator tasks(
        "/proc/" + std::to_string(pid) + "/task");
    EXPECT_EQ(std::distance(begin(tasks), end(tasks)), 1);
  }
}

TEST_F(ProcessModel, N04_EveryConnectionIsAcceptedOnce) {
  for (const char* mode : {"reusePort", "shared"}) {
    Program own(BRIGADE_SUPERVISED_SUBJECT);
    own.start({"--workers", "4"}, {std::string("ACCEPT_MODE=") + mode});
    constexpr int kConnections = 2000;
    for (int i = 0; i < kConnections; ++i) {
      ASSERT_EQ(Wire(own.port()).ask("echo x"), "x") << mode << " " << i;
    }
    EXPECT_EQ(own.status().at("totals").at("accepted"), kConnections) << mode;
    EXPECT_EQ(own.log().find("error"), std::string::npos) << own.log();
  }
}

TEST_F(ProcessModel, N06_T03_P01_TheMasterAcceptsNobody) {
  start(2);
  const auto pids = program.workerPids();
  const std::uint16_t port = program.port();
  for (const pid_t pid : pids) ::kill(pid, SIGSTOP);
  const std::size_t before = descriptorCount(program.masterPid());
  std::vector<Wire> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(port);
    ASSERT_TRUE(clients.back().connected());
    ASSERT_TRUE(clients.back().send("echo waited\n"));
  }
  expectQuiet({program.masterPid()}, milliseconds(1000));
  EXPECT_EQ(descriptorCount(program.masterPid()), before);
  for (const pid_t pid : pids) ::kill(pid, SIGCONT);
  for (Wire& client : clients) EXPECT_EQ(client.line(), "waited");
  EXPECT_EQ(descriptorCount(program.masterPid()), before);
}

TEST_F(ProcessModel, X11_IdleProcessesDoNotWakeUp) {
  // With limits on what they may do: nobody looks at those either.
  start(4, {"MAX_REQUESTS=100", "MAX_ACCEPTS=100", "MAX_MEMORY=1000000000"});
  ASSERT_EQ(Wire(program.port()).ask("echo x"), "x");
  expectQuiet(everybody(), milliseconds(3000));
}

TEST_F(ProcessModel, X06_AnExitIsSeenThoughAGrandchildHoldsTheChannel) {
  start(1);
  const pid_t before = pidOf(1);
  Wire client(program.port());
  const pid_t grandchild =
      static_cast<pid_t>(std::stoi(client.ask("fork").value_or("0")));
  ASSERT_GT(grandchild, 0);
  ::kill(before, SIGKILL);
  EXPECT_TRUE(eventually(
      [&] { return pidOf(1) != before && stateOf(1) == "ready"; }, seconds(1)));
  EXPECT_TRUE(processExists(grandchild));
  ::kill(grandchild, SIGKILL);
}

TEST_F(ProcessModel, X07_T18_AThousandSignalsHangNoMaster) {
  start(3);
  const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(::kill(program.masterPid(), signals[i % 5]), 0);
    if (i % 20 != 0) continue;
    ASSERT_FALSE(program.status().is_null()) << i;
  }
  ASSERT_TRUE(eventually([&] { return programState() == "running"; }));
  EXPECT_EQ(childrenOf(program.masterPid()).size(), 3u);
  for (unsigned index = 1; index <= 3; ++index) {
    EXPECT_EQ(worker(index).at("restarts"), 0);
    EXPECT_TRUE(becomes(index, "ready"));
  }
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
}

TEST_F(ProcessModel, P46_ASignalToAWorkerIsForThatWorkerOnly) {
  start(2);
  const auto before = program.workerPids();
  for (const int ignored : {SIGINT, SIGHUP, SIGUSR2, SIGPIPE}) {
    ::kill(before[0], ignored);
  }
  ASSERT_EQ(Wire(program.port()).ask("echo x"), "x");
  EXPECT_EQ(program.workerPids(), before);
  ::kill(before[0], SIGTERM);
  ASSERT_TRUE(eventually(
      [&] { return pidOf(1) != before[0] && stateOf(1) == "ready"; }));
  EXPECT_EQ(pidOf(2), before[1]);
  EXPECT_EQ(countOf(std::to_string(before[0]) + " onWorkerStop"), 1u);
}

TEST_F(ProcessModel, P46_CtrlCReachesEverybodyAndStopsOnce) {
  start(3);
  // As the terminal does it: the whole group at once, the workers first.
  for (const pid_t pid : everybody()) ::kill(pid, SIGINT);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(countOf("onWorkerStart"), 3u);
  EXPECT_EQ(countOf("onWorkerStop"), 3u);
  const std::string log = program.log();
  EXPECT_EQ(log.find("]: stopping"), log.rfind("]: stopping"));
  EXPECT_EQ(log.find("successor"), std::string::npos) << log;
}

TEST_F(ProcessModel, X12_AStalePidFileHarmsNoStranger) {
  const std::string pidFile = program.directory() + "/supervised_subject.pid";
  std::ofstream(pidFile) << ::getpid() << "\n";
  const Outcome stop = program.command({"stop"});
  EXPECT_EQ(stop.code, 7);
  EXPECT_NE(stop.err.find("not running"), std::string::npos) << stop.err;
  EXPECT_EQ(program.command({"reload"}).code, 7);
  std::filesystem::remove(pidFile);
}

TEST_F(ProcessModel, X10_AHundredStartsAndStopsLeaveNothing) {
  for (int i = 0; i < 100; ++i) {
    program.start({"--workers", "2"});
    ASSERT_EQ(::kill(program.masterPid(), SIGTERM), 0);
    ASSERT_EQ(program.wait(), 0) << program.log();
  }
}

TEST_F(ProcessModel, T02_N07_KilledAtRandomTheSameWorkersAreThereAtTheEnd) {
  start(4);
  std::mt19937 random(7);
  constexpr int kKills = 12;
  const int signals[] = {SIGKILL, SIGSEGV, SIGABRT};
  for (int i = 0; i < kKills; ++i) {
    const unsigned index = 1 + static_cast<unsigned>(random() % 4);
    ASSERT_TRUE(becomes(index, "ready"));
    const pid_t victim = pidOf(index);
    ::kill(victim, signals[random() % 3]);
    ASSERT_TRUE(eventually([&] {
      return countOf("onWorkerExit " + std::to_string(index) + " " +
                     std::to_string(victim) + " killed by SIG") == 1;
    }));
    EXPECT_EQ(Wire(program.port()).ask("echo x"), "x");
  }
  for (unsigned index = 1; index <= 4; ++index) {
    EXPECT_TRUE(becomes(index, "ready"));
  }
  EXPECT_EQ(childrenOf(program.masterPid()).size(), 4u) << "and no zombie";
  EXPECT_EQ(countOf("onWorkerExit"), static_cast<std::size_t>(kKills) + 0u);
}

}  // namespace
}  // namespace brigade::test
