// What programs run as: limits, users, folders and logs.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/support/ProgramsFixture.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;

// ---- M-12, users, folders, logs

TEST_F(Programs, M12_LimitsHoldInWorkersTheirSuccessorsAndPrograms) {
  add("limited", {"sleep", "999"}, {{"nofile", "100"}, {"core", "unlimited"}});
  add("other", {"sleep", "999"});
  start({}, {"NOFILE=512", "CORE=4096"});
  const auto limit = [](pid_t pid, const std::string& key) {
    const std::string all = fact(pid, "limits", key);
    return all.substr(0, all.find(' '));
  };
  const pid_t first = program.workerPid(1);
  EXPECT_EQ(limit(first, "Max open files"), "512");
  EXPECT_EQ(limit(first, "Max core file size"), "4096");
  ::kill(first, SIGKILL);
  ASSERT_TRUE(until([&] {
    const pid_t next = program.workerPid(1);
    return next != 0 && next != first && limit(next, "Max open files") == "512";
  }));
  ASSERT_TRUE(until([&] { return runs("limited") && runs("other"); }));
  EXPECT_EQ(limit(pidOf("limited"), "Max open files"), "100");
  EXPECT_EQ(limit(pidOf("limited"), "Max core file size"), "unlimited");
  EXPECT_EQ(limit(pidOf("other"), "Max open files"),
            limit(::getpid(), "Max open files"))
      << "those that the master was started with";
}

TEST_F(Programs, M12_ALimitAboveTheHardOneIsSaidBeforeAnythingStarts) {
  const Outcome outcome = runCommand(
      {BRIGADE_PROGRAMS_SUBJECT, "start", "--run-dir", program.directory()},
      environment({"NOFILE=99999999"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("the limit of 99999999 open files is above the "
                             "hard limit of "),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(outcome.err.find("[master]"), std::string::npos);
}

TEST_F(Programs, RunAsTheirUserInTheirFolderWithTheirEnvironment) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  add("other",
      {script("who.sh",
              "echo \"$(id -u) $(id -g) $(id -G) $(pwd) $COLOUR\" > " +
                  folder / "who" + "\nexec sleep 999\n")},
      {{"user", "nobody"},
       {"directory", folder.name()},
       {"environment", {"COLOUR=green"}}});
  start();
  ASSERT_TRUE(until([&] { return lines("who").size() == 1; }));
  EXPECT_EQ(lines("who")[0], "65534 65534 65534 " + folder.name() + " green");
  const pid_t pid = pidOf("other");
  const std::string self = std::to_string(pid) + " ";
  EXPECT_EQ(fact(pid, "status", "NSsid:"), self) << "a session of its own";
  EXPECT_EQ(fact(pid, "status", "NSpgid:"), self);
  EXPECT_GT(row("other").at("memory"), 0);
  EXPECT_EQ(fact(pid, "status", "Uid:"), "65534 65534 65534 65534 ");
  EXPECT_EQ(fact(pid, "status", "CapEff:"), "0000000000000000 ");
  // Of another user, it ends with the master all the same.
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  EXPECT_TRUE(eventually([&] { return !processExists(pid); }, seconds(9)));
}

TEST_F(Programs, WhoCannotBecomeItsUserIsNotTriedAgain) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  // Root of a name space that knows no other user.
  if (runCommand({"/usr/bin/unshare", "-r", "true"}).code != 0) {
    GTEST_SKIP() << "no user name spaces here";
  }
  add("other", {"sleep", "999"}, {{"user", "nobody"}});
  Program contained(BRIGADE_PROGRAMS_SUBJECT, {"/usr/bin/unshare", "-r"});
  contained.start({}, environment());
  ASSERT_TRUE(until([&] {
    return contained.status().at("programs")[0].at("state") == "failed";
  }));
  EXPECT_NE(contained.log().find("program other cannot start: cannot set the"),
            std::string::npos);
  EXPECT_EQ(Wire(contained.port()).ask("echo"), "echo");
}

TEST_F(Programs, ACommandThatHasGoneIsTriedAgainUntilItIsThere) {
  const std::string path = script("ka.sh", "exec sleep 999\n");
  add("ka", {path});
  start();
  ASSERT_TRUE(until([&] { return runs("ka"); }));
  std::filesystem::rename(path, folder / "away");
  ::kill(pidOf("ka"), SIGKILL);
  ASSERT_TRUE(until([&] {
    return logged("program ka cannot start: cannot execute " + path +
                  ": No such file or directory; starting it again in");
  }));
  std::filesystem::rename(folder / "away", path);
  EXPECT_TRUE(until([&] { return runs("ka"); }));
}

TEST_F(Programs, OutputGoesToTheLogWhichReopenOpensAnew) {
  add("printer",
      {script("p.sh",
              "echo out; echo err >&2\n"
              "trap 'echo last words; exit' TERM\n"
              "until [ -e " +
                  folder / "go" +
                  " ]; do sleep 0.01; done"
                  "\necho more\nsleep 999 &\nwait\n")},
      {{"logFile", folder / "printed"}});
  std::ofstream(folder / "printed") << "before\n";
  start();
  ASSERT_TRUE(until([&] {
    return lines("printed") == Lines{"before", "out", "err"};
  }));
  std::filesystem::rename(folder / "printed", folder / "old");
  EXPECT_EQ(program.command({"reopen"}).code, 0);
  ASSERT_TRUE(
      until([&] { return std::filesystem::exists(folder / "printed"); }));
  std::ofstream(folder / "go") << "x";
  ASSERT_TRUE(until([&] { return lines("printed") == Lines{"more"}; }));
  EXPECT_EQ(lines("old").size(), 3u);
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(lines("printed"), (Lines{"more", "last words"}));
}

TEST_F(Programs, BadSettingsAreNamedBeforeAnythingStarts) {
  std::ofstream(folder / "plain") << "x";
  const Lines sleeper{"sleep", "999"};
  const auto refuses = [&](const json& all, int code, const std::string& text) {
    settings = all;
    const Outcome outcome = runCommand(
        {BRIGADE_PROGRAMS_SUBJECT, "start", "--run-dir", program.directory()},
        environment());
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find("master"), std::string::npos) << outcome.err;
  };
  const auto one = [&](json more, const Lines& command) {
    more["name"] = "x";
    more["command"] = command;
    return json::array({more});
  };
  refuses(one({}, {}), 2, "program 'x': has no command");
  refuses(json::array({{{"command", sleeper}}}), 2, "program '': has no name");
  refuses(json::array({one({}, sleeper)[0], one({}, sleeper)[0]}), 2,
          "two programs are named 'x'");
  refuses(one({{"environment", {"x"}}}, sleeper), 2,
          "program 'x': 'x' is not NAME=value");
  refuses(one({}, {"no-such-command"}), 1,
          "program 'x': command no-such-command: not found in ");
  refuses(one({}, {folder / "none"}), 1,
          "program 'x': command " + folder / "none" + ": No such file");
  refuses(one({}, {folder / "plain"}), 1, ": Permission denied");
  refuses(one({}, {folder.name() + "/."}), 1, ": is a directory");
  refuses(one({{"user", "no-such-user"}}, sleeper), 1,
          "program 'x': user 'no-such-user': no such user");
  refuses(one({{"group", "no-such-group"}}, sleeper), 1,
          "program 'x': group 'no-such-group': no such group");
  refuses(one({{"directory", folder / "none"}}, sleeper), 1,
          "program 'x': directory " + folder / "none");
  refuses(one({{"nofile", "99999999"}}, sleeper), 1,
          "program 'x': the limit of 99999999 open files is above");
  settings = one({{"logFile", folder / "none" + "/log"}}, sleeper);
  const Outcome outcome = runCommand(
      {BRIGADE_PROGRAMS_SUBJECT, "start", "--run-dir", program.directory()},
      environment());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("program 'x': cannot open log " + folder / "none"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Programs, AReloadStopsAndStartsThoseThatAreReloadable) {
  add("reloadable", {"sleep", "999"}, {{"reloadable", true}});
  add("kept", {"sleep", "999"});
  start();
  ASSERT_TRUE(until([&] { return runs("reloadable") && runs("kept"); }));
  const pid_t first = pidOf("reloadable");
  const pid_t kept = pidOf("kept");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  ASSERT_TRUE(until(
      [&] { return runs("reloadable") && pidOf("reloadable") != first; }));
  EXPECT_EQ(row("reloadable").at("lastExit"), "exited signal 15");
  EXPECT_EQ(row("reloadable").at("restarts"), 0);
  EXPECT_EQ(pidOf("kept"), kept);
}

}  // namespace
}  // namespace brigade::test
