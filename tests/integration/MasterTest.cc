// The master, with everything that it must outlive: what the program's own
// code throws in it, and what happens while it is at something else.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "brigade/Events/FileDescriptor.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class MasterTest : public ::testing::Test {
 protected:
  Program program{BRIGADE_SUBJECT};
  // What a worker process does at its start; see Subject.cc.
  const std::string orders = program.directory() + "/orders";

  void order(const std::string& what, unsigned index) const {
    std::ofstream(orders + "-" + what + "-" + std::to_string(index) + ".log");
  }
  void countermand(const std::string& what, unsigned index) const {
    std::filesystem::remove(orders + "-" + what + "-" + std::to_string(index) +
                            ".log");
  }
  bool logs(const std::string& text) const {
    return eventually(
        [&] { return program.log().find(text) != std::string::npos; });
  }
};

TEST_F(MasterTest, C16_OutlivesWhateverItsCallbacksThrow) {
  program.start({"--workers", "1"}, {"THROW_IN_MASTER=yes"});
  ::kill(program.workerPid(1), SIGKILL);
  EXPECT_TRUE(logs("exception in onWorkerExit of subject"));
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(MasterTest, AFailureOfAStartThatWasMadeGoodCountsNoMore) {
  order("throw", 1);
  order("hold", 2);
  order("throw", 2);
  program.launch({"--workers", "2"}, {"START_ORDERS=" + orders});
  ASSERT_TRUE(logs("worker 1 cannot start"));
  ASSERT_TRUE(logs(": ready")) << "the successor of worker 1";
  countermand("hold", 2);
  // Never more than one failed at the same time.
  ASSERT_TRUE(logs("worker 2 cannot start"));
  EXPECT_TRUE(logs("]: ready\n")) << program.log();
  EXPECT_EQ(program.status().at("workers").size(), 2u);
}

TEST_F(MasterTest, ADaemonsCallerWaitsForReadyTimeoutAndIsToldWhatFor) {
  order("hold", 1);
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome =
      runCommand({BRIGADE_SUBJECT, "start", "-d", "--workers", "1", "--run-dir",
                  program.directory()},
                 {"START_ORDERS=" + orders, "READY_TIMEOUT=1200"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("subject: still waiting for worker 1\n"),
            std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("1200 ms"), std::string::npos) << outcome.err;
}

TEST_F(MasterTest, OnlyAReloadIsAnnouncedAsOne) {
  const std::string events = program.directory() + "/events.log";
  program.start({"--workers", "1"}, {"EVENT_LOG=" + events});
  const auto told = [&] {
    std::ostringstream text;
    text << std::ifstream(events).rdbuf();
    return text.str();
  };
  const pid_t first = program.workerPid(1);
  ASSERT_EQ(Wire(program.port()).ask("retire"), "done");
  ASSERT_TRUE(eventually([&] { return !processExists(first); }));
  EXPECT_NE(told().find(std::to_string(first) + " onWorkerStop"),
            std::string::npos)
      << told();
  EXPECT_EQ(told().find("onWorkerReload"), std::string::npos) << told();
  EXPECT_EQ(told().find("onMasterReload"), std::string::npos) << told();
  const pid_t second = program.workerPid(1);
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_NE(told().find(std::to_string(second) + " onWorkerReload"),
            std::string::npos)
      << told();
}

// ---- connections, while processes come and go

TEST_F(MasterTest, ConnectionsOfADrainingProcessAreListedPageByPage) {
  program.start({"--workers", "1"});
  const pid_t old = program.workerPid(1);
  // More than a frame takes.
  constexpr std::size_t kMany = 400;
  std::vector<Wire> clients;
  for (std::size_t i = 0; i < kMany; ++i) {
    clients.emplace_back(program.port());
    ASSERT_EQ(clients.back().ask("echo x"), "x");
  }
  // Signals know no grace; whoever asks for it waits until the drain is over.
  const FileDescriptor asks(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const pid_t reload = ::fork();
  if (reload == 0) {
    ::dup2(asks.get(), STDERR_FILENO);
    ::execl(BRIGADE_SUBJECT, BRIGADE_SUBJECT, "reload", "-g", "--run-dir",
            program.directory().c_str(), nullptr);
    ::_exit(127);
  }
  ASSERT_TRUE(eventually([&] {
    const pid_t now = program.workerPid(1);
    return now != 0 && now != old;
  }));
  Wire fresh(program.port());
  ASSERT_EQ(fresh.ask("echo x"), "x");
  const Outcome list = program.command({"connections", "--json"});
  EXPECT_EQ(list.code, 0) << list.err;
  std::size_t draining = 0;
  std::set<std::string> remotes;
  const auto connections = nlohmann::json::parse(list.out);
  for (const auto& connection : connections) {
    if (connection.at("pid").get<pid_t>() == old) ++draining;
    remotes.insert(connection.at("remote").get<std::string>());
  }
  EXPECT_EQ(draining, kMany);
  EXPECT_EQ(remotes.size(), kMany + 1);
  clients.clear();
  int status = 0;
  EXPECT_EQ(::waitpid(reload, &status, 0), reload);
  EXPECT_EQ(status, 0);
}

TEST_F(MasterTest, ConnectionsDoNotWaitForAProcessThatStarts) {
  program.start({"--workers", "1"}, {"START_ORDERS=" + orders});
  Wire client(program.port());
  ASSERT_EQ(client.ask("echo x"), "x");
  order("hold", 1);
  ::kill(program.masterPid(), SIGHUP);
  ASSERT_TRUE(
      eventually([&] { return childrenOf(program.masterPid()).size() == 2; }));
  const Outcome list = program.command({"connections", "--json"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_EQ(nlohmann::json::parse(list.out).size(), 1u);
  countermand("hold", 1);
}

TEST_F(MasterTest, ConnectionsDoNotWaitForAProcessThatDied) {
  program.start({"--workers", "2"});
  Wire stuck(program.port());
  const auto victim =
      static_cast<pid_t>(std::stoi(stuck.ask("pid").value_or("0")));
  ASSERT_TRUE(stuck.send("spin 60000\n"));
  ASSERT_TRUE(eventually([&] {
    const auto workers = program.status().at("workers");
    return workers.at(0).at("state") == "busy" ||
           workers.at(1).at("state") == "busy";
  }));
  // It cannot answer; dead, it is not waited for. Nothing shows when it has
  // been asked, so it gets a moment: killed before that, it is not asked at
  // all.
  const std::string kill = "sleep 0.3; kill -KILL " + std::to_string(victim);
  const pid_t killer = ::fork();
  if (killer == 0) ::execl("/bin/sh", "sh", "-c", kill.c_str(), nullptr);
  const Outcome list = program.command({"connections", "--json"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_EQ(::waitpid(killer, nullptr, 0), killer);
}

}  // namespace
}  // namespace brigade::test
