// What a server must survive: each fault of the promise is a test.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "tests/integration/FaultFixture.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class FaultTest : public FaultFixture {};

// ---- Deaths

TEST_F(FaultTest, M21_N08_AKilledWorkersSuccessorServesAndOthersSeeNothing) {
  program.start({"--workers", "3"});
  const auto pids = program.workerPids();
  const auto bystander = clientOf(pids[0]);
  const auto victim = clientOf(pids[1]);
  const auto killed = Clock::now();
  ::kill(pids[1], SIGKILL);
  EXPECT_EQ(victim->line(), std::nullopt);
  EXPECT_EQ(bystander->ask("echo still here"), "still here");
  pid_t successor = pids[1];
  ASSERT_TRUE(eventually([&] {
    successor = program.workerPid(2);
    return successor != 0 && successor != pids[1];
  }));
  const auto next = clientOf(successor);
  ASSERT_NE(next, nullptr);
  RecordProperty("respawnMilliseconds",
                 static_cast<int>((Clock::now() - killed) / milliseconds(1)));
  EXPECT_EQ(next->ask("index"), "2");
  EXPECT_EQ(logLines("killed by SIGKILL"), 1u);
  const auto worker = program.status().at("workers").at(1);
  EXPECT_EQ(worker.at("restarts"), 1);
  EXPECT_EQ(worker.at("lastExit"), "killed by SIGKILL");
}

TEST_F(FaultTest, C02_N07_AllWorkersKilledAtOnceComeBack) {
  program.start({"--workers", "4"});
  const auto pids = program.workerPids();
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  // A connection made now waits in the queue that the master keeps.
  EXPECT_EQ(Wire(program.port()).ask("echo back"), "back");
  ASSERT_TRUE(eventually([&] {
    const auto workers = program.status().at("workers");
    return std::all_of(workers.begin(), workers.end(), [&](const auto& w) {
      return w.at("state") == "ready" &&
             std::find(pids.begin(), pids.end(),
                       w.at("pid").template get<pid_t>()) == pids.end();
    });
  }));
}

TEST_F(FaultTest, X02_M23_W04_WorkersLeaveWhenTheMasterIsKilled) {
  program.start({"--workers", "3"});
  const auto pids = program.workerPids();
  const std::uint16_t port = program.port();
  Wire client(port);
  ASSERT_EQ(client.ask("echo x"), "x");
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  for (const pid_t pid : pids) {
    EXPECT_TRUE(eventually([pid] { return !processExists(pid); }));
  }
  EXPECT_FALSE(Wire(port).connected());
  program.start({"--listen", "text://127.0.0.1:" + std::to_string(port)});
  EXPECT_EQ(Wire(port).ask("echo again"), "again");
}

TEST_F(FaultTest, X02_AStuckWorkerLeavesAsWellWhenTheMasterIsKilled) {
  program.start({"--stop-timeout", "1"});
  const pid_t pid = program.workerPid(1);
  Wire client(program.port());
  ASSERT_TRUE(client.send("spin 60000\n"));
  ASSERT_TRUE(eventually([&] {
    return program.status().at("workers").at(0).at("state") == "busy";
  }));
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  EXPECT_TRUE(eventually([pid] { return !processExists(pid); }));
}

TEST_F(FaultTest, X01_W03_AWorkerThatDiesAtEveryStartIsHeldBack) {
  const std::string events = program.directory() + "/events.log";
  program.launch({"--workers", "3"}, {"DIE_AT_START=2", "EVENT_LOG=" + events});
  const auto forks = [&] {
    std::ifstream file(events);
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with("onWorkerStart 2")) ++count;
    }
    return count;
  };
  // After the first two each wait is twice the one before: the eighth fork
  // comes after 6.3 s, and the tenth would be 19 s later. No status meanwhile:
  // the master's own work is measured.
  ASSERT_TRUE(eventually([&] { return forks() >= 8; }, seconds(30)));
  const double cpu = cpuSeconds(program.masterPid());
  const auto slot = [&] { return program.status().at("workers").at(1); };
  const double uptime = program.status().at("uptime").get<double>();
  EXPECT_GE(uptime, 6.0);
  EXPECT_LT(cpu, 0.02 * uptime);
  ASSERT_TRUE(eventually([&] { return slot().at("state") == "backoff"; }));
  EXPECT_GT(slot().at("backoff").get<double>(), 1);
  EXPECT_EQ(slot().at("lastExit"), "failed to start (exit 3)");
  EXPECT_EQ(forks(), 8u);
  EXPECT_EQ(logLines("worker 2, pid"), 8u) << "one line a death";
  // Its siblings take what the kernel puts into its queue.
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo others"), "others") << i;
  }
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FaultTest, ASlotThatRecoversAcceptsForItselfAgain) {
  const std::string poison = program.directory() + "/poison.log";
  program.start({"--workers", "2"}, {"FAIL_IF_EXISTS=" + poison});
  std::ofstream(poison) << "x";
  const auto first = program.workerPids();
  ::kill(first[0], SIGKILL);
  ASSERT_TRUE(eventually([&] { return logLines("poisoned") >= 3; }));
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("pid"), std::to_string(first[1]));
  }
  // The helper goes as well, and nobody is left to help; then both are back.
  ::kill(first[1], SIGKILL);
  std::filesystem::remove(poison);
  ASSERT_TRUE(eventually([&] {
    const auto status = program.status();
    return status.at("workers").at(0).at("state") == "ready" &&
           status.at("workers").at(1).at("state") == "ready";
  }));
  const auto second = program.workerPids();
  std::set<std::string> answering;
  for (int i = 0; i < 100; ++i) {
    answering.insert(Wire(program.port()).ask("pid").value_or("nobody"));
  }
  EXPECT_EQ(answering, (std::set<std::string>{std::to_string(second[0]),
                                              std::to_string(second[1])}));
}

TEST_F(FaultTest, BackOffHarmsNobodyWhereAllShareOneSocket) {
  for (const char* mode : {"shared", "locked"}) {
    Program own(BRIGADE_SUBJECT);
    const std::string poison = own.directory() + "/poison.log";
    own.start({"--workers", "2"},
              {std::string("ACCEPT_MODE=") + mode, "FAIL_IF_EXISTS=" + poison});
    std::ofstream(poison) << "x";
    ::kill(own.workerPid(1), SIGKILL);
    ASSERT_TRUE(eventually([&] {
      return own.status().at("workers").at(0).at("state") == "backoff" &&
             own.status().at("workers").at(0).at("restarts") > 2;
    })) << own.log();
    for (int i = 0; i < 10; ++i) {
      ASSERT_EQ(Wire(own.port()).ask("echo x"), "x") << mode;
    }
    EXPECT_EQ(own.log().find("exception"), std::string::npos) << own.log();
  }
}

TEST_F(FaultTest, ASignalIgnoredByItsParentBlindsNoMaster) {
  // As `env --ignore-signal=CHLD` or a shell's trap leave it.
  Program deaf(BRIGADE_SUBJECT, {"/usr/bin/env", "--ignore-signal=CHLD"});
  deaf.start({"--workers", "1"});
  const pid_t pid = deaf.workerPid(1);
  ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    const pid_t now = deaf.workerPid(1);
    return now != 0 && now != pid;
  }));
}

TEST_F(FaultTest, TheOtherPortsAreFreeAsWellWhenTheMasterIsKilled) {
  program.start({"--workers", "2", "--workers", "second=1"},
                {"SECOND=text://127.0.0.1:0"});
  const auto text =
      program.status().at("workers").at(2).at("address").get<std::string>();
  const auto second =
      static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  Wire busy(program.port());
  ASSERT_TRUE(busy.send("spin 3000\n"));
  ASSERT_TRUE(eventually([&] {
    const auto workers = program.status().at("workers");
    return workers.at(0).at("state") == "busy" ||
           workers.at(1).at("state") == "busy";
  }));
  const auto pids = program.workerPids();
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  ASSERT_TRUE(eventually([&] { return !processExists(pids[2]); }));
  // The spinning process of the first service does not hold it.
  EXPECT_FALSE(Wire(second).connected());
  for (const pid_t pid : pids) {
    EXPECT_TRUE(eventually([pid] { return !processExists(pid); }));
  }
}

TEST_F(FaultTest, W06_P48_AThrowingCallbackCostsItsConnectionOnly) {
  program.start({"--workers", "1"});
  Wire innocent(program.port());
  ASSERT_EQ(innocent.ask("echo 1"), "1");
  Wire guilty(program.port());
  ASSERT_TRUE(guilty.send("throw\n"));
  EXPECT_EQ(guilty.rest(), "");
  EXPECT_EQ(innocent.ask("echo 2"), "2");
  EXPECT_EQ(total("exceptions"), 1u);
  EXPECT_EQ(logLines("asked to throw"), 1u);
}

// ---- Bad peers

TEST_F(FaultTest, ALyingFrameEndsWithAReasonInTheLog) {
  program.start({"--workers", "1", "--listen", "frame://127.0.0.1:0"});
  Wire liar(program.port());
  ASSERT_TRUE(liar.send(std::string("\0\0\0\1", 4)));
  EXPECT_EQ(liar.rest(), "");
  EXPECT_EQ(total("protocolErrors"), 1u);
  EXPECT_EQ(logLines("protocol error"), 1u);
  EXPECT_TRUE(processExists(program.workerPid(1)));
}

TEST_F(FaultTest, ALineThatNeverEndsIsCutOff) {
  program.start({"--workers", "1"});
  Wire innocent(program.port());
  ASSERT_EQ(innocent.ask("echo 1"), "1");
  Wire endless(program.port());
  const std::string part(1024 * 1024, 'x');
  bool cut = false;
  for (int i = 0; i < 64 && !cut; ++i) cut = !endless.send(part);
  EXPECT_TRUE(cut);
  EXPECT_EQ(total("protocolErrors"), 1u);
  EXPECT_EQ(logLines("package too long"), 1u);
  EXPECT_EQ(innocent.ask("echo 2"), "2");
}

TEST_F(FaultTest, ResetsByTheThousandLeaveNothing) {
  program.start({"--workers", "1"});
  const pid_t pid = program.workerPid(1);
  const std::size_t before = descriptorCount(pid);
  constexpr int kResets = 20'000;
  for (int i = 0; i < kResets; ++i) {
    Wire client(program.port());
    ASSERT_TRUE(client.connected());
    client.send("echo x\n");
    client.reset();
  }
  EXPECT_TRUE(eventually([&] {
    return total("connections") == 0 && descriptorCount(pid) == before;
  })) << descriptorCount(pid)
      << " descriptors, before: " << before;
  EXPECT_EQ(program.workerPid(1), pid);
  EXPECT_EQ(total("accepted"), static_cast<std::uint64_t>(kResets) + 0u);
}

TEST_F(FaultTest, W18_P16_ReadersThatStopReadingCostLittleMemory) {
  const std::string events = program.directory() + "/events.log";
  program.start({"--workers", "1"}, {"EVENT_LOG=" + events});
  const pid_t pid = program.workerPid(1);
  constexpr std::size_t kWanted = 64u * 1024 * 1024;
  constexpr std::size_t kReaders = 20;
#ifdef __SANITIZE_ADDRESS__
  // Its shadow of the same memory is an eighth more, and its allocator rounds.
  constexpr std::size_t kMost = 24'000'000;
#else
  constexpr std::size_t kMost = 20'000'000;
#endif
  std::vector<Wire> readers;
  for (std::size_t i = 0; i < kReaders; ++i) {
    readers.emplace_back(program.port());
    ASSERT_EQ(readers.back().ask("echo x"), "x");
  }
  const std::size_t before = memoryBytes(pid);
  for (Wire& reader : readers) {
    ASSERT_TRUE(reader.send("big " + std::to_string(kWanted) + "\n"));
  }
  const auto count = [&](const std::string& event) {
    std::ifstream file(events);
    std::size_t found = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with(event)) ++found;
    }
    return found;
  };
  ASSERT_TRUE(eventually([&] { return count("onBufferFull") == kReaders; }));
  EXPECT_LE(memoryBytes(pid), before + kMost);
  EXPECT_EQ(count("onBufferDrain"), 0u);
  EXPECT_EQ(Wire(program.port()).ask("echo fine"), "fine");
  // One of them reads on, and gets it all.
  std::size_t heard = 0;
  char bytes[65536];
  while (heard < kWanted) {
    const ssize_t n = ::read(readers[0].fd(), bytes, sizeof bytes);
    ASSERT_GT(n, 0);
    heard += static_cast<std::size_t>(n);
  }
  EXPECT_GE(count("onBufferDrain"), 1u);
}

// ---- Limits

TEST_F(FaultTest, TenThousandConnectionsAreOpenAtOnce) {
  constexpr std::size_t kConnections = 10'000;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlimit before = files;
  if (files.rlim_max < 2 * kConnections) {
    // Only root may raise it; whatever is allowed is tried.
    files.rlim_max = ::getuid() == 0 ? 4 * kConnections : files.rlim_max;
  }
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  program.start({"--workers", "2"});
  const std::size_t most =
      std::min<std::size_t>(kConnections, files.rlim_cur - 100);
  std::vector<Wire> clients;
  clients.reserve(most);
  for (std::size_t i = 0; i < most; ++i) {
    clients.emplace_back(program.port());
    ASSERT_TRUE(clients.back().connected()) << i;
  }
  ASSERT_TRUE(eventually([&] { return total("connections") == most; }));
  for (std::size_t i = 0; i < most; i += 97) {
    ASSERT_EQ(clients[i].ask("echo x"), "x") << i;
  }
  const Outcome list = program.command({"connections", "--json"});
  EXPECT_EQ(nlohmann::json::parse(list.out).size(), most) << list.err;
  clients.clear();
  EXPECT_TRUE(eventually([&] { return total("connections") == 0; }));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(FaultTest, N04_W16_WithoutDescriptorsAcceptingPausesAndResumes) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 64;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  program.start({"--workers", "1"});
  ::setrlimit(RLIMIT_NOFILE, &before);
  const pid_t pid = program.workerPid(1);
  const std::uint16_t port = program.port();
  std::vector<Wire> clients;
  for (int i = 0; i < 80; ++i) clients.emplace_back(port);
  ASSERT_TRUE(eventually([&] { return logLines("accepting pauses") == 1; }));
  EXPECT_EQ(clients[0].ask("echo served"), "served");
  // For a second nobody comes to the one who waits, nor does the worker spin.
  ASSERT_TRUE(clients.back().send("echo waited\n"));
  pollfd waiting{clients.back().fd(), POLLIN, 0};
  const double cpu = cpuSeconds(pid);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(::poll(&waiting, 1, 100), 0);
    EXPECT_EQ(clients[0].ask("echo still"), "still");
  }
  EXPECT_LT(cpuSeconds(pid) - cpu, 0.05);
  EXPECT_EQ(logLines("accepting pauses"), 1u);
  clients.erase(clients.begin() + 1, clients.begin() + 40);
  EXPECT_EQ(clients.back().line(), "waited");
}

TEST_F(FaultTest, AFullProcessLeavesConnectionsInTheQueue) {
  program.start({"--workers", "1"}, {"MAX_CONNECTIONS=2"});
  auto first = std::make_unique<Wire>(program.port());
  Wire second(program.port());
  EXPECT_EQ(first->ask("echo 1"), "1");
  EXPECT_EQ(second.ask("echo 2"), "2");
  Wire third(program.port());
  ASSERT_TRUE(third.send("echo 3\n"));
  EXPECT_EQ(second.ask("echo still"), "still");
  EXPECT_EQ(total("connections"), 2u);
  first.reset();
  EXPECT_EQ(third.line(), "3");
}

TEST_F(FaultTest, AFullDiskUnderTheLogStopsNothing) {
  if (!std::filesystem::exists("/dev/full")) FAIL() << "no /dev/full";
  program.launch({"--workers", "1", "--log-file", "/dev/full"});
  ASSERT_TRUE(eventually([&] { return !program.status().is_null(); }));
  Wire bad(program.port());
  ASSERT_TRUE(bad.send("throw\n"));
  EXPECT_EQ(bad.rest(), "");
  EXPECT_EQ(Wire(program.port()).ask("echo fine"), "fine");
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

}  // namespace
}  // namespace brigade::test
