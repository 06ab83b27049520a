// The small promises of the process model: what a process has from its master,
// what it keeps to itself, and in which order its callbacks come.

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "tests/integration/LabFixture.h"

namespace brigade::test {
namespace {

class Lab : public LabFixture {
 protected:
  // Where an event stands among those of its process; npos: it is not there.
  static std::size_t placeOf(const Strings& events, const std::string& what) {
    const auto found = std::find_if(
        events.begin(), events.end(),
        [&](const auto& event) { return event.starts_with(what); });
    return found == events.end()
               ? std::string::npos
               : static_cast<std::size_t>(found - events.begin());
  }
  std::size_t listeners() const { return listeningSockets(program.port()); }
  static std::string addressOf(const Wire& client) {
    sockaddr_in in{};
    socklen_t length = sizeof in;
    ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&in), &length);
    return "127.0.0.1:" + std::to_string(ntohs(in.sin_port));
  }
};

// ---- What the master does before the fork

TEST_F(Lab, M05_P05_N02_WhatTheMasterMadeBeforeTheForkEveryProcessHas) {
  start(3);
  EXPECT_EQ(count("onMasterStart"), 1U);
  EXPECT_EQ(events().at(0).pid, program.masterPid());
  EXPECT_EQ(events().at(0).what, "onMasterStart");
  for (unsigned i = 1; i <= 3; ++i) {
    EXPECT_EQ(ask(i, "get seed"), "of the master");
    EXPECT_EQ(ask(i, "file"), "/dev/null") << "opened in the master";
  }
}

TEST_F(Lab, M05_M24_AFailureInTheMasterEndsTheStartBeforeAnyFork) {
  program.launch({}, {"EVENT_LOG=" + eventLog(), "FAIL_IN_MASTER=yes"});
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(program.log().find("no luck in the master"), std::string::npos);
  EXPECT_EQ(count("onMasterStart"), 1U);
  EXPECT_EQ(count("onWorkerStart"), 0U);
  EXPECT_FALSE(
      std::filesystem::exists(program.directory() + "/lab_subject.pid"));
}

TEST_F(Lab, M04_M24_AProgramWithoutHooksServesAndEndsWithZero) {
  Program bare(example("echo"));
  bare.start({"--listen", "tcp://127.0.0.1:0"});
  Wire client(bare.port());
  ASSERT_TRUE(client.send("hello"));
  EXPECT_TRUE(client.receiveAtLeast(5));
  EXPECT_EQ(client.received(), "hello");
  EXPECT_EQ(bare.command({"stop"}).code, 0);
  EXPECT_EQ(bare.wait(), 0);
}

// ---- What a process keeps to itself

TEST_F(Lab, P06_WhatAProcessChangesNoOtherSees) {
  start(2);
  for (int i = 0; i < 5; ++i) {
    const std::string entry = "set own" + std::to_string(i) + " 1";
    ASSERT_EQ(ask(1, entry), "set");
  }
  EXPECT_EQ(ask(1, "set seed another"), "set");
  EXPECT_EQ(ask(1, "entries"), "8") << "the master's three and its own five";
  EXPECT_EQ(ask(2, "entries"), "3");
  EXPECT_EQ(ask(2, "get own1"), "(none)");
  EXPECT_EQ(ask(2, "get seed"), "of the master");
  EXPECT_EQ(ask(1, "master own1"), "(none)") << "the master neither";
  EXPECT_EQ(ask(1, "master seed"), "of the master");
}

TEST_F(Lab, M03_P08_ATimerRunsInTheProcessThatHasSetItAndInNoOther) {
  start(2);
  ASSERT_EQ(ask(1, "timer one 1"), "set");
  ASSERT_EQ(ask(2, "timer two 1"), "set");
  EXPECT_TRUE(eventually([&] { return count("timer ") == 2; }));
  const auto first = eventsOf(program.workerPid(1));
  const auto second = eventsOf(program.workerPid(2));
  EXPECT_NE(placeOf(first, "timer one"), std::string::npos);
  EXPECT_EQ(placeOf(first, "timer two"), std::string::npos);
  EXPECT_NE(placeOf(second, "timer two"), std::string::npos);
}

TEST_F(Lab, N03_P08_EachProcessHandlesTheEventsOfItsOwnConnectionsOnly) {
  start(2);
  const auto one = clientOf(1), two = clientOf(2);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(one->ask("echo one"), "one");
    ASSERT_EQ(two->ask("echo two"), "two");
  }
  std::map<std::pair<pid_t, std::string>, int> handled;
  for (const Event& event : events()) {
    if (event.what.starts_with("onMessage echo")) {
      ++handled[{event.pid, event.what}];
    }
  }
  ASSERT_EQ(handled.size(), 2U) << "each line in one process only";
  EXPECT_EQ((handled[{program.workerPid(1), "onMessage echo one"}]), 1000);
  EXPECT_EQ((handled[{program.workerPid(2), "onMessage echo two"}]), 1000);
}

TEST_F(Lab, M22_AProgramMayUsePipesLoopsAndChildrenOfItsOwn) {
  start(2);
  for (unsigned i = 1; i <= 2; ++i) {
    EXPECT_EQ(ask(i, "own"), "fine");
    EXPECT_EQ(ask(i, "own"), "fine");
    EXPECT_EQ(ask(i, "echo on"), "on");
  }
  EXPECT_EQ(program.workerPids().size(), 2U);
}

// ---- The master and its workers

TEST_F(Lab, T14_TheMasterHearsAWorkersMessageAndRunsNoCodeOfWorkers) {
  start(2);
  ASSERT_EQ(ask(2, "tell something"), "sent");
  EXPECT_TRUE(eventually([&] { return count("heard ") == 1; }));
  for (const Event& event : events()) {
    const bool ofMaster = event.what.starts_with("onMasterStart") ||
                          event.what.starts_with("heard ");
    EXPECT_EQ(event.pid == program.masterPid(), ofMaster) << event.what;
  }
  EXPECT_EQ(count("heard 2 something"), 1U) << "from whom, and what";
}

TEST_F(Lab, N01_P03_P23_SharedProcessesHaveOneSocketAndAllAcceptFromIt) {
  std::ofstream(program.directory() + "/lab.log")
      << "[worker]\nacceptMode = \"shared\"\nmaxConnections = 150\n";
  start(4, {}, {"--config", program.directory() + "/lab.log"});
  EXPECT_EQ(listeners(), 1U);
  std::vector<std::unique_ptr<Wire>> clients;
  std::set<std::string> servers;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(std::make_unique<Wire>(program.port()));
    servers.insert(clients.back()->ask("id").value_or("nobody"));
  }
  EXPECT_FALSE(servers.contains("nobody"));
  EXPECT_GE(servers.size(), 3U) << "no process takes more than 150";
  EXPECT_EQ(count("onConnect"), 400U);
}

// ---- The order of callbacks

TEST_F(Lab, M07_OnWorkerStartRunsFirstInEveryProcessAndInEverySuccessor) {
  start(3);
  for (unsigned i = 1; i <= 3; ++i) ask(i, "echo x");
  const pid_t old = program.workerPid(2);
  ASSERT_EQ(::kill(old, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return count("onWorkerStart ends") == 4; }));
  ask(2, "echo x");
  std::map<pid_t, Strings> all;
  for (const Event& event : events()) all[event.pid].push_back(event.what);
  EXPECT_EQ(all.size(), 5U) << "the master and four workers";
  for (const auto& [pid, own] : all) {
    if (pid == program.masterPid()) continue;
    EXPECT_TRUE(own.at(0).starts_with("onWorkerStart begins ")) << own.at(0);
    EXPECT_TRUE(own.at(1).starts_with("onWorkerStart ends ")) << own.at(1);
  }
}

TEST_F(Lab, P11_NobodyIsAcceptedBeforeOnWorkerStartHasEnded) {
  start(1, {"SLOW_START=300"});
  const pid_t old = program.workerPid(1);
  ASSERT_EQ(::kill(old, SIGKILL), 0);
  Wire client(program.port());  // in the queue of the one that is starting
  ASSERT_TRUE(client.connected());
  std::string id = client.ask("id").value_or("");
  if (id.empty()) id = ask("id");  // it was the dead one's connection
  const pid_t pid = program.workerPid(1);
  ASSERT_NE(pid, old);
  const auto own = eventsOf(pid);
  const std::size_t ended = placeOf(own, "onWorkerStart ends");
  EXPECT_LT(ended, placeOf(own, "onConnect"));
  EXPECT_EQ(ended, 1U);
}

TEST_F(Lab, P02_OfAConnectionConnectMessageAndCloseComeInThisOrder) {
  start(2);
  std::string from;
  {
    Wire client(program.port());
    from = addressOf(client);
    ASSERT_EQ(client.ask("echo a"), "a");
    ASSERT_EQ(client.ask("echo b"), "b");
  }
  EXPECT_TRUE(eventually([&] { return count("onClose") == 1; }));
  std::vector<std::string> order;
  std::set<pid_t> pids;
  for (const Event& event : events()) {
    if (event.what.starts_with("onWorkerStart")) continue;
    if (event.what == "onMasterStart") continue;
    order.push_back(event.what);
    pids.insert(event.pid);
  }
  EXPECT_EQ(order, (Strings{"onConnect " + from, "onMessage echo a",
                            "onMessage echo b", "onClose"}));
  EXPECT_EQ(pids.size(), 1U);
}

TEST_F(Lab, P02_ConnectionsThatQueueWhileAProcessIsStoppedAreAllServed) {
  start(1);
  const pid_t pid = program.workerPid(1);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(std::make_unique<Wire>(program.port()));
    ASSERT_TRUE(clients.back()->connected()) << i;
  }
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  for (auto& client : clients) ASSERT_EQ(client->ask("echo x"), "x");
  EXPECT_EQ(count("onConnect"), 1000U);
}

TEST_F(Lab, P12_OnConnectComesOnceForEachAndKnowsWhoItIs) {
  start(2);
  std::set<std::string> expected;
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Wire>(program.port()));
    expected.insert("onConnect " + addressOf(*clients.back()));
    ASSERT_EQ(clients.back()->ask("echo x"), "x");
  }
  std::multiset<std::string> seen;
  for (const Event& event : events()) {
    if (event.what.starts_with("onConnect")) seen.insert(event.what);
  }
  EXPECT_EQ(seen, std::multiset<std::string>(expected.begin(), expected.end()));
}

TEST_F(Lab, X03_KillsAtAnyMomentLeaveNoLockAndNoMemoryBehind) {
  std::ofstream(program.directory() + "/lab.log")
      << "[worker]\nacceptMode = \"locked\"\n[backoff]\nlongest = 0.02\n"
         "first = 0.01\n";
  start(4, {}, {"--config", program.directory() + "/lab.log"});
  for (int i = 0; i < 100; ++i) {
    const auto pids = program.workerPids();
    const pid_t victim = pids.at(static_cast<std::size_t>(i) % pids.size());
    if (victim != 0) ::kill(victim, SIGKILL);
    ASSERT_TRUE(eventually([&] { return ask("echo x") == "x"; },
                           std::chrono::seconds(2)))
        << "kill " << i;
  }
  std::ifstream maps("/proc/" + std::to_string(program.masterPid()) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    EXPECT_EQ(line.find("/dev/shm"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace brigade::test
