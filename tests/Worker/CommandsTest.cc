#include "brigade/Worker/detail/Commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "brigade/Worker/detail/Status.h"
#include "brigade/Worker/detail/StatusReport.h"
#include "tests/Worker/support/CommandsFixture.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// ---- Nothing runs

TEST_F(Commands, WithoutAServerSayNotRunning) {
  for (const Command command : {Command::kStop, Command::kReload,
                                Command::kConnections, Command::kReopen}) {
    EXPECT_EQ(run(command), kNotRunning);
    EXPECT_EQ(out_, "");
    EXPECT_EQ(error_,
              "shout: not running (no pid file " + config_.pidFile + ")\n");
  }
  EXPECT_EQ(run(Command::kStatus), kStatusNotRunning);
  EXPECT_EQ(out_, "");
}

TEST_F(Commands, AfterADeadServerNameItsPidFile) {
  startMaster(answerStatus);
  const std::string pid = masterPid();
  endMaster();
  for (const Command command : {Command::kStop, Command::kReload,
                                Command::kConnections, Command::kReopen}) {
    EXPECT_EQ(run(command), kNotRunning);
    EXPECT_EQ(error_,
              "shout: not running, but pid file " + config_.pidFile +
                  " exists (pid " + pid +
                  " is gone; its worker processes may still be draining)\n");
  }
  EXPECT_EQ(run(Command::kStatus), kStatusDeadWithPidFile);
  EXPECT_EQ(out_, "");
}

TEST_F(Commands, RestartWithoutAServerIsNoFailure) {
  EXPECT_EQ(run(Command::kRestart), kSuccess);
}

// ---- stop

TEST_F(Commands, StopReturnsWhenTheLockIsFree) {
  startMaster([](const FakeMaster& master) {
    if (master.request != "stop fast") return;
    master.say(progressLine("worker 1, pid 7: exit 0"));
    master.say(resultLine(true, ""));
    // The last things a master does take a while.
    EventInterface& loop = master.loop;
    loop.add(milliseconds(100), Repeat::kOnce, [&loop] { loop.stop(); });
  });
  const std::string pid = masterPid();
  EXPECT_EQ(run(Command::kStop), kSuccess);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(error_, "shout: stopping pid " + pid +
                        "\nshout: worker 1, pid 7: exit 0\nshout: stopped\n");
  EXPECT_EQ(PidFile::look(config_.pidFile).state, PidFile::State::kNone);
}

TEST_F(Commands, StopAndRestartPassOnWhetherTheyAreGraceful) {
  for (const Command command : {Command::kStop, Command::kRestart}) {
    startMaster([](const FakeMaster& master) {
      if (master.request != "stop graceful") return;
      master.say(resultLine(true, ""));
      master.leave();
    });
    Invocation invocation;
    invocation.command = command;
    invocation.graceful = true;
    EXPECT_EQ(run(invocation), kSuccess) << error_;
    endMaster();
  }
}

TEST_F(Commands, StopSucceedsWhenTheMasterDiesInsteadOfAnswering) {
  startMaster([](const FakeMaster&) { ::raise(SIGKILL); });
  EXPECT_EQ(run(Command::kStop), kSuccess) << error_;
}

TEST_F(Commands, StopSucceedsWhenTheMasterLeavesWithoutAWord) {
  startMaster([](const FakeMaster& master) { master.leave(); });
  EXPECT_EQ(run(Command::kStop), kSuccess) << error_;
}

TEST_F(Commands, StopThatIsRefusedShowsTheReason) {
  startMaster([](const FakeMaster& master) {
    master.say(resultLine(false, "not now"));
  });
  for (const Command command : {Command::kStop, Command::kRestart}) {
    EXPECT_EQ(run(command), kFailure);
    EXPECT_EQ(error_, "shout: stopping pid " + masterPid() +
                          "\nshout: cannot stop pid " + masterPid() +
                          ": not now\n");
  }
}

TEST_F(Commands, StopOfAMasterThatPromisesAndStaysFails) {
  startMaster(
      [](const FakeMaster& master) { master.say(resultLine(true, "")); });
  EXPECT_EQ(run(Command::kStop), kFailure);
  EXPECT_TRUE(error_.ends_with("cannot stop pid " + masterPid() +
                               ": it is still there\n"))
      << error_;
}

TEST_F(Commands, StopOfAMasterThatHangsFailsAfterItsTime) {
  startMaster(answerStatus);
  ::kill(master_, SIGSTOP);
  EXPECT_EQ(run(Command::kStop), kFailure);
  EXPECT_NE(error_.find("cannot stop pid " + masterPid() + ": "),
            std::string::npos)
      << error_;
  EXPECT_NE(error_.find("timed out"), std::string::npos) << error_;
}

TEST_F(Commands, StopOfAMasterWithoutAControlSocketFails) {
  startMaster(answerStatus);
  std::filesystem::remove(controlSocketPath(config_));
  EXPECT_EQ(run(Command::kStop), kFailure);
  EXPECT_NE(error_.find("No such file"), std::string::npos) << error_;
}

// ---- reload and reopen

TEST_F(Commands, ReloadShowsProgressAndItsEnd) {
  startMaster([](const FakeMaster& master) {
    if (master.request != "reload fast") return;
    master.say(progressLine("worker 1 ready"));
    master.say(progressLine("worker 2 ready\x1b[2J"));
    master.say(resultLine(true, ""));
  });
  EXPECT_EQ(run(Command::kReload), kSuccess);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(error_,
            "shout: worker 1 ready\nshout: worker 2 ready\\x1b[2J\n"
            "shout: reloaded\n");
}

TEST_F(Commands, ReloadThatFailsShowsTheReason) {
  startMaster([](const FakeMaster& master) {
    if (master.request != "reload graceful") return;
    master.say(resultLine(false, "worker 1 was not ready"));
  });
  Invocation invocation;
  invocation.command = Command::kReload;
  invocation.graceful = true;
  EXPECT_EQ(run(invocation), kFailure);
  EXPECT_EQ(error_, "shout: cannot reload pid " + masterPid() +
                        ": worker 1 was not ready\n");
}

TEST_F(Commands, P41_P42_OrdersToAWorkerCarryItsIndexAndShowTheReason) {
  startMaster([](const FakeMaster& master) {
    const bool known = master.request.ends_with("-worker 2");
    master.say(resultLine(known, "no worker at " + master.request));
  });
  Invocation invocation;
  invocation.worker = 2;
  for (const auto& [command, done] :
       {std::pair{Command::kStopWorker, "stopped"},
        std::pair{Command::kStartWorker, "started"},
        std::pair{Command::kRestartWorker, "restarted"}}) {
    invocation.command = command;
    EXPECT_EQ(run(invocation), kSuccess);
    EXPECT_EQ(error_, "shout: worker 2 " + std::string(done) + "\n");
  }
  invocation.worker = 9;
  EXPECT_EQ(run(invocation), kFailure);
  EXPECT_EQ(error_, "shout: cannot restart worker 9 of pid " + masterPid() +
                        ": no worker at restart-worker 9\n");
}

TEST_F(Commands, ReloadOfAMasterThatDiesFails) {
  startMaster([](const FakeMaster& master) {
    master.say(progressLine("worker 1 ready"));
    master.leave();
  });
  EXPECT_EQ(run(Command::kReload), kFailure);
  EXPECT_NE(error_.find("cannot reload pid"), std::string::npos) << error_;
}

TEST_F(Commands, LinesOfANewerServerAreSkipped) {
  startMaster([](const FakeMaster& master) {
    master.say("hello");
    master.say(R"({"colour": "red"})");
    master.say(resultLine(true, ""));
  });
  EXPECT_EQ(run(Command::kReload), kSuccess) << error_;
}

TEST_F(Commands, ReopenReportsWhatTheServerSaid) {
  startMaster([](const FakeMaster& master) {
    master.say(resultLine(master.request == "reopen", "what?"));
  });
  EXPECT_EQ(run(Command::kReopen), kSuccess);
  EXPECT_EQ(error_, "shout: log reopened\n");
}

// ---- status

TEST_F(Commands, StatusIsATableOnStdout) {
  startMaster(answerStatus);
  EXPECT_EQ(run(Command::kStatus), kSuccess);
  EXPECT_EQ(out_, statusTable(toJson(someStatus())));
  EXPECT_EQ(error_, "");
}

TEST_F(Commands, StatusAsJsonIsTheObjectAlone) {
  startMaster(answerStatus);
  Invocation invocation;
  invocation.command = Command::kStatus;
  invocation.json = true;
  EXPECT_EQ(run(invocation), kSuccess);
  EXPECT_EQ(out_, toJson(someStatus()) + "\n");
}

TEST_F(Commands, StatusOfAMasterThatMakesNoSenseIsUnknown) {
  for (const char* line :
       {R"({"ok": true})", R"({"ok": false})", R"({"status": 7})", "hello"}) {
    startMaster([=](const FakeMaster& master) {
      master.say(line);
      master.say(resultLine(true, ""));
    });
    EXPECT_EQ(run(Command::kStatus), kStatusUnknown) << line;
    EXPECT_EQ(out_, "");
    EXPECT_NE(error_, "");
    endMaster();
  }
}

TEST_F(Commands, StatusOfAMasterThatHangsIsUnknown) {
  startMaster(answerStatus);
  ::kill(master_, SIGSTOP);
  EXPECT_EQ(run(Command::kStatus), kStatusUnknown);
  EXPECT_EQ(out_, "");
  EXPECT_TRUE(error_.starts_with("shout: cannot get the status of pid " +
                                 masterPid() + ": "))
      << error_;
}

TEST_F(Commands, StatusThatCannotBeWrittenIsAnError) {
  startMaster(answerStatus);
  Invocation invocation;
  invocation.command = Command::kStatus;
  const FileDescriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(exitCodeOf(runApart(invocation, full.get())), kStatusUnknown);
}

// ---- status --watch

TEST_F(Commands, WatchShowsTheStatusAgainUntilInterrupted) {
  startMaster(answerStatus);
  Invocation invocation;
  invocation.command = Command::kStatus;
  invocation.watch = true;
  Pipe output;
  const pid_t watcher = runApart(invocation, output.write.get());
  output.write.reset();
  const std::string table = statusTable(toJson(someStatus()));
  EXPECT_EQ(readUntil(output.read.get(), table + "\n" + table),
            table + "\n" + table);
  ::kill(watcher, SIGINT);
  EXPECT_EQ(exitCodeOf(watcher), kSuccess);
}

TEST_F(Commands, WatchClearsATerminalButNotForJson) {
  startMaster(answerStatus);
  for (const bool json : {false, true}) {
    Invocation invocation;
    invocation.command = Command::kStatus;
    invocation.watch = true;
    invocation.json = json;
    const FileDescriptor terminal(
        ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_EQ(::grantpt(terminal.get()), 0);
    ASSERT_EQ(::unlockpt(terminal.get()), 0);
    const FileDescriptor user(
        ::open(::ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    const pid_t watcher = runApart(invocation, user.get());
    const std::string shown = readUntil(terminal.get(), "total");
    EXPECT_TRUE(shown.starts_with(json ? "{" : "\x1b[H\x1b[2Jshout (brigade"))
        << shown;
    ::kill(watcher, SIGTERM);
    EXPECT_EQ(exitCodeOf(watcher), kSuccess);
  }
}

TEST_F(Commands, WatchEndsWithTheServer) {
  startMaster([](const FakeMaster& master) {
    answerStatus(master);
    master.leave();
  });
  Invocation invocation;
  invocation.command = Command::kStatus;
  invocation.watch = true;
  invocation.json = true;
  EXPECT_EQ(run(invocation), kStatusNotRunning);
  EXPECT_EQ(out_, toJson(someStatus()) + "\n");
}

// ---- connections

std::string connection(std::uint64_t id) {
  ConnectionStatus status;
  status.id = id;
  return toJson(status);
}

TEST_F(Commands, ConnectionsAreATableOrAnArray) {
  startMaster([](const FakeMaster& master) {
    if (master.request != "connections") return;
    master.say(connectionLine(connection(7)));
    master.say(connectionLine(connection(9)));
    master.say(resultLine(true, ""));
  });
  EXPECT_EQ(run(Command::kConnections), kSuccess);
  EXPECT_EQ(out_, connectionsTable({connection(7), connection(9)}));
  EXPECT_EQ(error_, "");

  Invocation invocation;
  invocation.command = Command::kConnections;
  invocation.json = true;
  EXPECT_EQ(run(invocation), kSuccess);
  EXPECT_EQ(out_, "[\n" + connection(7) + ",\n" + connection(9) + "\n]\n");
}

TEST_F(Commands, NoConnectionsAreAnEmptyArray) {
  startMaster(
      [](const FakeMaster& master) { master.say(resultLine(true, "")); });
  Invocation invocation;
  invocation.command = Command::kConnections;
  invocation.json = true;
  EXPECT_EQ(run(invocation), kSuccess);
  EXPECT_EQ(out_, "[\n]\n");
}

TEST_F(Commands, SomeConnectionsAreShownThoughAWorkerIsSilent) {
  startMaster([](const FakeMaster& master) {
    master.say(connectionLine(connection(7)));
    master.say(resultLine(false, "1 worker did not answer"));
  });
  EXPECT_EQ(run(Command::kConnections), kFailure);
  EXPECT_EQ(out_, connectionsTable({connection(7)}));
  EXPECT_EQ(error_, "shout: cannot get all connections of pid " + masterPid() +
                        ": 1 worker did not answer\n");
}

// ---- rights

TEST_F(Commands, OfAnotherUserAreRefusedByTheControlSocket) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  startMaster(answerStatus);
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  EXPECT_EQ(runUnprivileged(Command::kStop), kFailure);
  EXPECT_NE(error_.find("Permission denied"), std::string::npos) << error_;
  EXPECT_EQ(runUnprivileged(Command::kReload), kFailure);
  EXPECT_EQ(runUnprivileged(Command::kStatus), kStatusUnknown);
  EXPECT_NE(error_.find("Permission denied"), std::string::npos) << error_;
}

TEST_F(Commands, WithoutRightToThePidFileNameIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  startMaster(answerStatus);
  EXPECT_EQ(runUnprivileged(Command::kStop), kFailure);
  EXPECT_NE(error_.find(config_.pidFile + ": Permission denied"),
            std::string::npos)
      << error_;
  EXPECT_EQ(runUnprivileged(Command::kStatus), kStatusUnknown);
}

TEST(ControlSocketPath, IsBesideThePidFile) {
  RunConfig config;
  config.runDirectory = "/run/shout";
  config.pidFile = "/elsewhere/shout.pid";
  EXPECT_EQ(controlSocketPath(config), "/elsewhere/shout.sock");
}

TEST(ControlSocketPath, IsNeverThePidFile) {
  RunConfig config;
  config.pidFile = "/run/shout/shout.sock";
  EXPECT_EQ(controlSocketPath(config), "/run/shout/shout.sock.sock");
}

}  // namespace
}  // namespace brigade::detail
