// The command line of a program, as a user types it: what starts, what is
// refused, what is said, and that nothing is left behind.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class StartStopTest : public ::testing::Test {
 protected:
  Program program{BRIGADE_SUBJECT};

  // Starts in the foreground and expects that to fail.
  void expectRefusal(const std::vector<std::string>& options, int code,
                     const std::string& reason,
                     const std::vector<std::string>& environment = {}) {
    std::vector<std::string> words{BRIGADE_SUBJECT, "start", "--run-dir",
                                   program.directory()};
    words.insert(words.end(), options.begin(), options.end());
    const Outcome outcome = runCommand(words, environment);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
        << outcome.err;
    EXPECT_EQ(filesLeft(), 0) << outcome.err;
  }

  int filesLeft() const {
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(program.directory())) {
      if (entry.path().extension() != ".log") ++files;
    }
    return files;
  }
};

TEST_F(StartStopTest, M09_EveryWorkerProcessServesAndStopEndsAll) {
  program.start({"--workers", "3"});
  const auto pids = program.workerPids();
  ASSERT_EQ(pids.size(), 3u);
  Wire client(program.port());
  EXPECT_EQ(client.ask("echo hello"), "hello");
  const Outcome stop = program.command({"stop"});
  EXPECT_EQ(stop.code, 0) << stop.err;
  EXPECT_EQ(stop.out, "");
  EXPECT_EQ(program.wait(), 0);
  for (const pid_t pid : pids) EXPECT_FALSE(processExists(pid));
  EXPECT_EQ(filesLeft(), 0);
}

TEST_F(StartStopTest, BothLoopsServe) {
  for (const char* event : {"libev", "epoll"}) {
    Program own(BRIGADE_SUBJECT);
    own.start({"--event", event});
    Wire client(own.port());
    EXPECT_EQ(client.ask("echo x"), "x") << event;
    EXPECT_EQ(own.status().at("event"), event);
  }
}

TEST_F(StartStopTest, ABadAddressIsNamed) {
  expectRefusal({"--listen", "nonsense"}, 2, "bad address 'nonsense'");
}

TEST_F(StartStopTest, ACheckFindsFoldersThatAreMissingAndMakesNone) {
  const std::string none = program.directory() + "/none.log";
  expectRefusal({"--check", "--log-file", none + "/a.log"}, 1,
                "cannot open the log " + none + "/a.log: No such file");
  expectRefusal({"--check", "--pid-file", none + "/a.pid"}, 1,
                "cannot open the pid file " + none + "/a.pid: No such file");
  std::ofstream(none) << "a file";
  expectRefusal({"--check", "--run-dir", none + "/run"}, 1,
                none + " is no directory");
  std::filesystem::remove(none);
  const Outcome outcome = runCommand(
      {BRIGADE_SUBJECT, "start", "--check", "-d", "--run-dir", none + "/a/b/"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(none)) << "it would be made at a start";
}

TEST_F(StartStopTest, ACheckKnowsWhatIsMadeTogetherWithTheRunDirectory) {
  const TempDirectory folder;
  const std::string made = folder / "a";
  const Outcome outcome = runCommand(
      {BRIGADE_SUBJECT, "start", "--check", "--run-dir", made + "/b/../b",
       "--log-file", made + "/x.log", "--pid-file", made + "/b/x.pid"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(made));
  expectRefusal(
      {"--check", "--run-dir", made + "/b", "--log-file", folder / "c/x.log"},
      1, "cannot open the log " + (folder / "c/x.log: No such"));
}

TEST_F(StartStopTest, ARestartWithBadPlacesLeavesTheServerAlone) {
  program.start();
  const pid_t before = program.masterPid();
  const Outcome outcome =
      program.command({"restart", "-d", "--log-file", "/proc/no/such.log"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(program.status().at("pid"), before);
}

TEST_F(StartStopTest, ASecondAddressForAWorkerIsRefused) {
  expectRefusal(
      {"--listen", "text://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0"}, 2,
      "worker 'subject' has one address, and was given another");
}

TEST_F(StartStopTest, AnUnknownProtocolIsNamed) {
  expectRefusal({"--listen", "gopher://127.0.0.1:0"}, 2,
                "gopher://127.0.0.1:0: unknown protocol 'gopher'");
}

TEST_F(StartStopTest, AnUnknownEventLoopIsNamed) {
  expectRefusal({"--event", "kqueue"}, 2, "unknown event loop 'kqueue'");
}

TEST_F(StartStopTest, M13_P21_AnUnknownUserIsNamed) {
  expectRefusal({}, 1, "user 'no-such-user'", {"SERVER_USER=no-such-user"});
}

TEST_F(StartStopTest, M09_ABadNumberOfWorkersIsNamed) {
  expectRefusal({"--workers", "many"}, 2, "many");
}

TEST_F(StartStopTest, AnUnknownOptionIsNamed) {
  expectRefusal({"--no-such-option"}, 2, "--no-such-option");
}

TEST_F(StartStopTest, P36_W05_ATakenPortIsNamed) {
  program.start();
  Program second(BRIGADE_SUBJECT);
  const Outcome outcome =
      second.command({"start", "--listen", program.address()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "subject: cannot listen on " + program.address() +
                             ": Address already in use\n");
  const Outcome daemon =
      second.command({"start", "-d", "--listen", program.address()});
  EXPECT_EQ(daemon.code, 1);
  EXPECT_NE(daemon.err.find("Address already in use"), std::string::npos)
      << daemon.err;
}

TEST_F(StartStopTest, ARunDirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(program.directory() + "/file.log") << "x";
  const Outcome outcome = runCommand({BRIGADE_SUBJECT, "start", "--run-dir",
                                      program.directory() + "/file.log/run"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("/file.log/run"), std::string::npos);
}

TEST_F(StartStopTest, ARunDirectoryThatOthersMayWriteToIsRefused) {
  const std::string open = program.directory() + "/open.log";
  std::filesystem::create_directory(open);
  ::chmod(open.c_str(), 0777);
  expectRefusal({"--run-dir", open + "/inner"}, 1,
                open + " can be written by others");
  std::filesystem::remove_all(open);
}

TEST_F(StartStopTest, TwoServersOfOneRunDirectoryAreKeptApart) {
  const std::string a = program.directory() + "/a.log";
  const std::string b = program.directory() + "/b.log";
  std::filesystem::create_directory(a);
  std::filesystem::create_directory(b);
  program.start({"--pid-file", a + "/app.pid"});
  const Outcome second =
      program.command({"start", "-d", "--pid-file", b + "/app.pid"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(program.command({"stop", "--pid-file", a + "/app.pid"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(program.command({"status", "--pid-file", b + "/app.pid"}).code, 0);
  EXPECT_EQ(program.command({"stop", "--pid-file", b + "/app.pid"}).code, 0);
}

TEST_F(StartStopTest, AnUnwritableLogIsNamed) {
  expectRefusal({"--log-file", "/proc/no/such.log"}, 1, "/proc/no/such.log");
}

TEST_F(StartStopTest, P26_W05_ASecondStartIsRefusedAndHarmsNothing) {
  program.start();
  const Outcome second = program.command({"start"});
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.err.find("already running"), std::string::npos)
      << second.err;
  EXPECT_NE(second.err.find(std::to_string(program.masterPid())),
            std::string::npos);
  EXPECT_EQ(Wire(program.port()).ask("echo on"), "on");
  EXPECT_EQ(program.command({"status"}).code, 0);
}

TEST_F(StartStopTest, CommandsSaySoWhenNothingRuns) {
  for (const char* word : {"stop", "reload", "reopen", "connections"}) {
    const Outcome outcome = program.command({word});
    EXPECT_EQ(outcome.code, 7) << word;
    EXPECT_NE(outcome.err.find("not running"), std::string::npos)
        << outcome.err;
    EXPECT_EQ(outcome.out, "") << word;
  }
  EXPECT_EQ(program.command({"status"}).code, 3);
}

TEST_F(StartStopTest, P26_StatusTellsADeadMasterByItsPidFile) {
  program.start();
  const auto pids = program.workerPids();
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  EXPECT_EQ(program.command({"status"}).code, 1);
  for (const pid_t pid : pids) {
    EXPECT_TRUE(eventually([pid] { return !processExists(pid); }));
  }
  program.start();  // the stale files do not block it
  EXPECT_EQ(program.command({"status"}).code, 0);
}

TEST_F(StartStopTest, M11_P44_ADaemonIsReadyWhenStartReturns) {
  const Outcome start =
      program.command({"start", "-d", "--workers", "2", "--log-file",
                       program.directory() + "/daemon.log"});
  ASSERT_EQ(start.code, 0) << start.err;
  EXPECT_EQ(start.out, "");
  EXPECT_EQ(Wire(program.port()).ask("echo now"), "now");
  const pid_t master = program.status().at("pid").get<pid_t>();
  // daemon(7): in a session of its own, and not its leader.
  EXPECT_NE(::getsid(master), ::getsid(0));
  EXPECT_NE(::getsid(master), master);
  struct stat info {};
  ASSERT_EQ(::stat((program.directory() + "/daemon.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 022U, 0U);
  const Outcome restart = program.command(
      {"restart", "-d", "--log-file", program.directory() + "/daemon.log"});
  EXPECT_EQ(restart.code, 0) << restart.err;
  EXPECT_NE(program.status().at("pid").get<pid_t>(), master);
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_FALSE(processExists(master));
}

TEST_F(StartStopTest, X01_AFailingOnWorkerStartFailsTheStart) {
  const Outcome outcome = runCommand(
      {BRIGADE_SUBJECT, "start", "-d", "--run-dir", program.directory()},
      {"THROW_AT_START=all"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("no luck today"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(filesLeft(), 0);
}

TEST_F(StartStopTest, P21_ProcessesHaveTitles) {
  program.start({"--workers", "2"});
  const auto title = [](pid_t pid) {
    std::string text;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/cmdline"),
                 text, '\0');
    return text;
  };
  EXPECT_EQ(title(program.masterPid()), "brigade: subject master");
  EXPECT_EQ(title(program.workerPid(1)), "brigade: subject worker 1");
  EXPECT_EQ(title(program.workerPid(2)), "brigade: subject worker 2");
}

TEST_F(StartStopTest, P27_StatusHasEveryFigure) {
  program.start({"--workers", "2"});
  Wire client(program.port());
  client.ask("echo 1");
  client.ask("echo 2");
  const auto status = program.status();
  for (const char* field :
       {"name", "version", "brigadeVersion", "pid", "state", "event", "started",
        "uptime", "load", "totals", "workers"}) {
    EXPECT_TRUE(status.contains(field)) << field;
  }
  EXPECT_EQ(status.at("version"), "1.2.3");
  EXPECT_EQ(status.at("totals").at("messages"), 2);
  EXPECT_EQ(status.at("totals").at("connections"), 1);
  for (const char* field :
       {"index", "pid", "state", "memory", "address", "connections", "accepted",
        "messages", "sendFailures", "exceptions", "timers", "requestsPerSecond",
        "uptime", "restarts", "lastExit"}) {
    EXPECT_TRUE(status.at("workers").at(0).contains(field)) << field;
  }
  const Outcome table = program.command({"status"});
  EXPECT_EQ(table.code, 0);
  EXPECT_NE(table.out.find("subject"), std::string::npos);
  EXPECT_EQ(table.err, "");
}

TEST_F(StartStopTest, P47_ConnectionsListsThemAll) {
  program.start({"--workers", "2"});
  std::vector<Wire> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(program.port());
    clients.back().ask("echo x");
  }
  const Outcome outcome = program.command({"connections", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto list = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(list.size(), 50u);
  EXPECT_EQ(list.at(0).at("protocol"), "text");
  EXPECT_EQ(list.at(0).at("bytesRead"), 7);
  EXPECT_EQ(program.command({"connections"}).code, 0);
}

TEST_F(StartStopTest, P27_W19_AStuckWorkerStillShowsItsFigures) {
  program.start({"--workers", "2"});
  Wire stuck(program.port());
  ASSERT_EQ(stuck.ask("echo 1"), "1");
  ASSERT_TRUE(stuck.send("spin 3000\n"));
  ASSERT_TRUE(eventually(
      [&] {
        const auto status = program.status();
        const auto& workers = status.at("workers");
        return std::any_of(workers.begin(), workers.end(), [](const auto& w) {
          return w.at("state") == "busy" && w.at("messages") >= 1 &&
                 w.at("connections") == 1;
        });
      },
      std::chrono::seconds(3)));
}

TEST_F(StartStopTest, M10_LogsAreReopenedAfterARotation) {
  const std::string log = program.directory() + "/a.log";
  const Outcome start = program.command({"start", "-d", "--log-file", log});
  ASSERT_EQ(start.code, 0) << start.err;
  std::filesystem::rename(log, program.directory() + "/b.log");
  EXPECT_EQ(program.command({"reopen"}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(log));
  EXPECT_EQ(program.command({"stop"}).code, 0);
}

TEST_F(StartStopTest, WorkersOfAnotherUserWriteTheNewLogAsWell) {
  const std::string log = program.directory() + "/a.log";
  std::vector<std::string> environment;
  if (::getuid() == 0) environment = {"SERVER_USER=nobody"};
  const Outcome start =
      runCommand({BRIGADE_SUBJECT, "start", "-d", "--workers", "1", "--run-dir",
                  program.directory(), "--log-file", log},
                 environment);
  ASSERT_EQ(start.code, 0) << start.err;
  std::filesystem::rename(log, program.directory() + "/b.log");
  EXPECT_EQ(program.command({"reopen"}).code, 0);
  Wire bad(program.port());
  ASSERT_TRUE(bad.send("throw\n"));
  EXPECT_EQ(bad.rest(), "");
  std::ostringstream text;
  text << std::ifstream(log).rdbuf();
  EXPECT_NE(text.str().find("asked to throw"), std::string::npos) << text.str();
  EXPECT_EQ(program.command({"stop"}).code, 0);
}

TEST_F(StartStopTest, P18_P19_P20_CallbacksComeInTheirOrder) {
  const std::string events = program.directory() + "/events.log";
  program.start({}, {"EVENT_LOG=" + events});
  EXPECT_EQ(Wire(program.port()).ask("echo x"), "x");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  ::kill(program.workerPid(1), SIGKILL);
  ASSERT_TRUE(eventually([&] {
    return program.log().find("SIGKILL") != std::string::npos &&
           program.workerPid(1) != 0;
  }));
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  std::ifstream file(events);
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    const auto begin = line.find(' ') + 1;
    names.push_back(line.substr(begin, line.find(' ', begin) - begin));
  }
  const auto position = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  EXPECT_LT(position("onWorkerStart"), position("onConnect"));
  EXPECT_LT(position("onConnect"), position("onClose"));
  EXPECT_LT(position("onMasterReload"), position("onWorkerReload"));
  EXPECT_LT(position("onWorkerReload"), position("onWorkerStop"));
  EXPECT_LT(position("onWorkerStop"), position("onWorkerExit"));
  EXPECT_EQ(names.back(), "onMasterStop");
  EXPECT_EQ(std::count(names.begin(), names.end(), "onWorkerStart"), 3);
  EXPECT_EQ(std::count(names.begin(), names.end(), "onWorkerStop"), 2);
  EXPECT_EQ(std::count(names.begin(), names.end(), "onWorkerExit"), 3);
}

TEST_F(StartStopTest, SettingsOfConnectionsMayBeChangedInOnWorkerStart) {
  program.start({"--workers", "1"}, {"MAX_PACKAGE_SIZE=16"});
  EXPECT_EQ(Wire(program.port()).ask("echo short"), "short");
  Wire refused(program.port());
  ASSERT_TRUE(refused.send("echo a line of more than that\n"));
  EXPECT_EQ(refused.line(), std::nullopt);
}

TEST_F(StartStopTest, P09_TwoWorkersListenOnTheirOwn) {
  program.start({"--workers", "2", "--workers", "second=1"},
                {"SECOND=text://127.0.0.1:0"});
  const auto workers = program.status().at("workers");
  ASSERT_EQ(workers.size(), 3u);
  EXPECT_EQ(workers.at(2).at("name"), "second");
  const auto text = workers.at(2).at("address").get<std::string>();
  const auto port =
      static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  EXPECT_EQ(Wire(port).ask("index"), "3");
}

TEST_F(StartStopTest, ASocketPathMayHaveAnEqualsSign) {
  const std::string path = program.directory() + "/a=b.sock";
  program.start({"--listen", "text+unix://" + path});
  EXPECT_EQ(program.address(), "text+unix://" + path);
}

TEST_F(StartStopTest, P24_AUnixSocketServesAndIsRemoved) {
  const std::string path = program.directory() + "/s.sock";
  program.start({"--listen", "text+unix://" + path});
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
  const Outcome nc = runCommand(
      {"/bin/sh", "-c", "printf 'echo via nc\\n' | nc -N -U " + path});
  EXPECT_EQ(nc.out, "via nc\n");
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StartStopTest, M13_P21_RootDropsPrivileges) {
  if (::getuid() != 0) {
    // Without root the same setting must be refused instead.
    expectRefusal({}, 1, "nobody", {"SERVER_USER=nobody"});
    return;
  }
  program.start({}, {"SERVER_USER=nobody"});
  EXPECT_EQ(Wire(program.port()).ask("uid"), "65534");
}

TEST_F(StartStopTest, AsProcessOneItReapsTheOrphansOfOthers) {
  std::vector<std::string> container{"/usr/bin/unshare", "--pid", "--fork",
                                     "--kill-child"};
  if (::getuid() != 0) container.emplace_back("--map-root-user");
  std::vector<std::string> attempt = container;
  attempt.emplace_back("/bin/true");
  if (runCommand(attempt).code != 0) {
    GTEST_SKIP() << "this machine allows no PID namespace";
  }
  Program contained(BRIGADE_SUBJECT, container);
  contained.start({"--workers", "2"});
  const auto inside = childrenOf(contained.masterPid());
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_NE(contained.log().find("master [1]"), std::string::npos);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Wire(contained.port()).ask("orphan"), "done");
  }
  EXPECT_TRUE(eventually([&] { return childrenOf(inside[0]).size() == 2; }))
      << childrenOf(inside[0]).size() << " children";
  EXPECT_EQ(contained.command({"stop"}).code, 0);
  EXPECT_EQ(contained.wait(), 0);
}

TEST_F(StartStopTest, P45_AGracefulStopAnswersWhatWasAsked) {
  program.start();
  Wire client(program.port());
  ASSERT_TRUE(client.send("slow 700\n"));
  ASSERT_TRUE(eventually(
      [&] { return program.status().at("totals").at("messages") == 1; }));
  ::kill(program.masterPid(), SIGQUIT);
  EXPECT_EQ(client.line(), "slow done");
  client = Wire(0);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(StartStopTest, P45_W02_AGracefulStopEndsByItsDeadline) {
  const std::string events = program.directory() + "/events.log";
  program.start({"--stop-timeout", "1", "--workers", "1"},
                {"EVENT_LOG=" + events});
  Wire idle(program.port());
  ASSERT_EQ(idle.ask("echo x"), "x");
  // The client does not close its side: it holds nobody up.
  EXPECT_EQ(program.command({"stop", "-g"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_NE(program.log().find("exit 0"), std::string::npos) << program.log();
  std::ostringstream told;
  told << std::ifstream(events).rdbuf();
  EXPECT_NE(told.str().find("onWorkerStop"), std::string::npos) << told.str();
  EXPECT_EQ(told.str().find("onWorkerReload"), std::string::npos);
  EXPECT_EQ(idle.rest(), "");
}

TEST_F(StartStopTest, P43_AStopEndsAWorkerThatSpins) {
  program.start({"--stop-timeout", "1", "--workers", "1"});
  Wire client(program.port());
  ASSERT_TRUE(client.send("spin 60000\n"));
  ASSERT_TRUE(eventually([&] {
    return program.status().at("workers").at(0).at("state") == "busy";
  }));
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(StartStopTest, X08_AProcessHoldsNothingOfItsSiblings) {
  program.start({"--workers", "3"});
  Wire client(program.port());
  const std::string list = client.ask("fds").value_or("");
  int sockets = 0;
  for (std::size_t at = 0; (at = list.find("socket:", at)) != std::string::npos;
       ++at) {
    ++sockets;
  }
  // Its channel, the connection, and the listener of its slot.
  EXPECT_EQ(sockets, 3) << list;
  EXPECT_EQ(list.find(".pid"), std::string::npos) << list;
}

}  // namespace
}  // namespace brigade::test
