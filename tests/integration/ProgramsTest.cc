// Programs and modules under a master. A test that begins with the number of a
// row shows what that row of the reference systems promises.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/support/ProgramsFixture.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Writes its PID and arguments, and leaves a child that holds all it has.
constexpr char kKeepalive[] =
    "cd \"$(dirname \"$0\")\"\n"
    "echo \"$$ $*\" >> ran\n"
    "(trap '' TERM; exec sleep 999) &\n"
    "echo $! >> left\n"
    "wait\n";

// ---- M-15, M-16: ends and starts

TEST_F(Programs,
       M15_AKilledKeepaliveProgramComesBackAndItsGrandchildDoesNotHideIt) {
  add("ka", {script("ka.sh", kKeepalive), "arg1", "arg2"});
  start({"--stop-timeout", "1"});
  ASSERT_TRUE(until([&] { return lines("left").size() == 1; }));
  const pid_t first = pidOf("ka");
  EXPECT_EQ(lines("ran")[0], std::to_string(first) + " arg1 arg2 3");
  const auto killed = Clock::now();
  ::kill(first, SIGKILL);
  ASSERT_TRUE(until([&] { return lines("left").size() == 2; }));
  EXPECT_LT(Clock::now() - killed, seconds(1));
  EXPECT_NE(pidOf("ka"), first);
  EXPECT_EQ(row("ka").at("restarts"), 1);
  EXPECT_EQ(row("ka").at("lastExit"), "exited signal 9");
  EXPECT_TRUE(logged("program ka, pid " + std::to_string(first) +
                     ": exited signal 9; starting it again at once"));
  // What the dead one has left behind is gone before the next one starts.
  EXPECT_TRUE(allGone({pids("left")[0]}));
}

TEST_F(Programs, M15_TheGapsGrowWhileItDiesYoung) {
  const std::string ka = "echo \"$$ $(cut -d' ' -f1 /proc/uptime)\" >> " +
                         folder / "ran" + "\nexec sleep 999\n";
  add("ka", {script("ka.sh", ka)}, {{"firstBackoff", 20}});
  start();
  constexpr std::size_t kKills = 10;
  std::vector<double> times;
  for (std::size_t i = 1; i <= kKills + 1; ++i) {
    ASSERT_TRUE(until([&] { return lines("ran").size() == i; }));
    ASSERT_TRUE(until([&] { return runs("ka"); }));
    std::istringstream words(lines("ran").back());
    pid_t pid;
    times.emplace_back();
    words >> pid >> times.back();
    if (i <= kKills) ::kill(pid, SIGKILL);
  }
  // At once, 20 ms, 40 ms ... 5.12 s; the clock of uptime(1) has two digits.
  for (std::size_t i = 2; i <= kKills; ++i) {
    const double wait = 0.02 * std::pow(2, static_cast<double>(i) - 2);
    EXPECT_GE(times[i] - times[i - 1], wait - 0.02) << i;
  }
  EXPECT_EQ(row("ka").at("restarts"), kKills);
}

TEST_F(Programs, M15_StopEndsTheProgramAndAllItHasStarted) {
  // One that ignores SIGTERM, one that has left the session, and an orphan.
  add("ka",
      {script("ka.sh", "cd " + folder.name() +
                           "\ntrap 'echo bye >> ran; exit 7' TERM\n"
                           "echo $$ >> left\n"
                           "(trap '' TERM; exec sleep 999) & echo $! >> left\n"
                           "setsid sleep 998 & echo $! >> left\n"
                           "(setsid sh -c 'trap \"\" TERM; echo $$ >> left;"
                           " exec sleep 997' &)\n"
                           "while :; do wait; done\n")});
  start({"--stop-timeout", "1"});
  ASSERT_TRUE(until([&] { return lines("left").size() == 4; }));
  ASSERT_FALSE(allGone({pids("left")[3]}));
  const pid_t guard = childrenOf(program.masterPid()).back();
  const auto asked = Clock::now();
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_LT(Clock::now() - asked, seconds(2));
  EXPECT_EQ(program.wait(), 0);
  EXPECT_TRUE(allGone(pids("left")));
  EXPECT_TRUE(allGone({guard}));
  EXPECT_EQ(lines("ran"), Lines{"bye"}) << "SIGTERM came first";
  EXPECT_TRUE(logged("exited code 7"));
}

TEST_F(Programs, M15_AProgramThatEndsInTimeIsNotWaitedFor) {
  add("polite", {"sleep", "999"});
  start();
  ASSERT_TRUE(until([&] { return runs("polite"); }));
  const auto asked = Clock::now();
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_LT(Clock::now() - asked, seconds(4)) << "the time-out is 8 s";
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Programs, M15_AStopDuringTheBackOffStartsNothing) {
  add("ka", {script("ka.sh", "echo x >> " + folder / "ran" + "\n")},
      {{"firstBackoff", 60000}});
  start();
  ASSERT_TRUE(until([&] { return state("ka") == "backoff"; }));
  EXPECT_GT(row("ka").at("backoff"), 30);
  EXPECT_NE(program.command({"status"}).out.find("backoff "),
            std::string::npos);
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(lines("ran").size(), 2u);
}

TEST_F(Programs, M15_AStoppedProgramHearsSigtermAsWell) {
  add("frozen", {script("f.sh", "trap 'echo bye >> " + folder / "ran" +
                                    "; exit' TERM\nwhile :; do sleep 0.01; "
                                    "done\n")});
  start();
  ASSERT_TRUE(until([&] { return runs("frozen"); }));
  ::kill(pidOf("frozen"), SIGSTOP);
  ASSERT_TRUE(until([&] { return state("frozen") == "stopped"; }));
  EXPECT_EQ(program.command({"stop"}).code, 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(lines("ran"), Lines{"bye"});
}

TEST_F(Programs, M16_AProgramToRunOnceIsNotStartedAgain) {
  const std::string text =
      "echo $$ >> " + folder / "ran" + "\nexec sleep 999\n";
  add("default", {script("default.sh", text)}, {{"once", true}});
  add("short", {"true"}, {{"once", true}});
  start();
  ASSERT_TRUE(until([&] { return lines("ran").size() == 1; }));
  ASSERT_TRUE(until([&] { return runs("default"); }));
  const pid_t pid = pidOf("default");
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(until([&] { return state("default") == "exited"; }));
  EXPECT_FALSE(eventually([&] { return lines("ran").size() > 1; }, seconds(5)));
  EXPECT_EQ(row("default").at("lastExit"), "exited signal 9");
  EXPECT_TRUE(row("default").at("pid").is_null());
  EXPECT_EQ(row("short").at("lastExit"), "exited code 0");
  const std::string table = program.command({"status"}).out;
  EXPECT_NE(table.find("exited signal 9"), std::string::npos) << table;
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(pid)))
      << "a zombie";
  for (const pid_t child : childrenOf(program.masterPid())) {
    EXPECT_TRUE(processExists(child)) << "a zombie";
  }
  EXPECT_EQ(childrenOf(program.masterPid()).size(), 1u) << "no guard is left";
}

TEST_F(Programs, M16_AMasterThatIsProcessOneKnowsHowItsProgramsEnded) {
  Lines container{"/usr/bin/unshare", "--pid", "--fork", "--kill-child"};
  if (::getuid() != 0) container.emplace_back("--map-root-user");
  Lines attempt = container;
  attempt.emplace_back("/bin/true");
  if (runCommand(attempt).code != 0) {
    GTEST_SKIP() << "this machine allows no PID namespace";
  }
  add("ka", {script("ka.sh", "exit 3\n")}, {{"firstBackoff", 10}});
  Program contained(BRIGADE_PROGRAMS_SUBJECT, container);
  contained.start({}, environment());
  const auto restarts = [&] {
    return contained.status().at("programs")[0].at("restarts").get<int>();
  };
  ASSERT_TRUE(until([&] { return restarts() >= 5; }));
  EXPECT_EQ(contained.status().at("programs")[0].at("lastExit"),
            "exited code 3");
  EXPECT_EQ(contained.log().find("guard"), std::string::npos);
  EXPECT_EQ(contained.command({"stop"}).code, 0);
  EXPECT_EQ(contained.wait(), 0);
}

TEST_F(Programs, P10_WhatFindsNoForkIsStartedWhenThereIsOne) {
  const std::string famine = folder / "no-fork";
  std::ofstream{famine};
  add("ka", {"sleep", "999"}, {{"firstBackoff", 20}});
  add("default", {"sleep", "999"}, {{"firstBackoff", 20}, {"once", true}});
  // One worker, and then no more.
  start({}, {"NO_FORK_IF=" + famine, "NO_FORK_AFTER=1"});
  for (const char* name : {"ka", "default"}) {
    ASSERT_TRUE(until([&] { return row(name).at("restarts") > 1; })) << name;
    EXPECT_EQ(row(name).at("lastExit"),
              "cannot start: Resource temporarily unavailable");
  }
  std::filesystem::remove(famine);
  for (const char* name : {"ka", "default"}) {
    EXPECT_TRUE(until([&] { return runs(name); })) << name;
  }
}

// ---- what stays behind, what is passed on

TEST_F(Programs, X02_NothingIsLeftWhenTheMasterIsKilled) {
  const std::string text =
      "cd " + folder.name() +
      "\necho $$ >> left\n"
      "trap 'echo bye >> ran' TERM\n"
      "(trap '' TERM; exec sleep 999) & echo $! >> left\n"
      "(setsid sh -c 'trap \"\" TERM; echo $$ >> left; exec sleep 997' &)\n"
      "while :; do wait; done\n";
  add("stubborn", {script("stubborn.sh", text)});
  add("plain", {"sleep", "999"}, {{"once", true}});
  start({"--stop-timeout", "1"});
  ASSERT_TRUE(until([&] { return lines("left").size() == 3; }));
  ASSERT_TRUE(until([&] { return runs("plain"); }));
  std::vector<pid_t> all = childrenOf(program.masterPid());
  for (const pid_t pid : pids("left")) all.push_back(pid);
  all.push_back(pidOf("plain"));
  const std::uint16_t port = program.port();
  const auto killed = Clock::now();
  ::kill(program.masterPid(), SIGKILL);
  EXPECT_EQ(program.wait(), -SIGKILL);
  EXPECT_TRUE(eventually([&] { return allGone(all); }));
  EXPECT_LT(Clock::now() - killed, seconds(2)) << "the time-out and a second";
  EXPECT_EQ(lines("ran"), Lines{"bye"}) << "it was asked first";
  start({"--stop-timeout", "1", "--listen",
         "text://127.0.0.1:" + std::to_string(port)});
  EXPECT_EQ(Wire(port).ask("again"), "again");
}

TEST_F(Programs, X02_AProgramDiesWithItsGuardAndComesBack) {
  add("ka", {"sleep", "999"});
  start();
  ASSERT_TRUE(until([&] { return runs("ka"); }));
  const pid_t first = pidOf("ka");
  pid_t guard = 0;
  for (const pid_t child : childrenOf(program.masterPid())) {
    if (child != program.workerPid(1)) guard = child;
  }
  ASSERT_EQ(childrenOf(guard), std::vector<pid_t>{first});
  ::kill(guard, SIGKILL);
  ASSERT_TRUE(until([&] { return runs("ka") && pidOf("ka") != first; }));
  EXPECT_FALSE(processExists(first));
  EXPECT_EQ(row("ka").at("lastExit"), "its guard: killed by SIGKILL");
}

TEST_F(Programs, X08_NeitherWorkersNorGuardsHoldWhatIsThePrograms) {
  Program alone(BRIGADE_PROGRAMS_SUBJECT);
  alone.start();
  const std::size_t bare = descriptorCount(alone.workerPid(1));
  for (const char* name : {"a", "b"}) {
    add(name, {"sleep", "999"}, {{"logFile", folder / name}});
  }
  start();
  ASSERT_TRUE(until([&] { return runs("a") && runs("b"); }));
  // Forked when the programs ran already.
  const pid_t first = program.workerPid(1);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(until([&] {
    const json worker = program.status().at("workers")[0];
    return worker.at("state") == "ready" && worker.at("pid") != first;
  }));
  EXPECT_EQ(descriptorCount(program.workerPid(1)), bare);
  std::vector<std::size_t> guards;
  for (const pid_t child : childrenOf(program.masterPid())) {
    if (child != program.workerPid(1)) guards.push_back(descriptorCount(child));
  }
  // 0 to 2, loop, its timer and signals, channel, log, output.
  EXPECT_EQ(guards, (std::vector<std::size_t>{9, 9}));
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(descriptors(pidOf(name)),
              (std::set<std::string>{"0", "1", "2", "3"}));
  }
}

// ---- M-19: modules

TEST_F(Programs, M19_AModuleThatReturnsRunsAgainWithGrowingGaps) {
  start({}, {"MODULES=hello,haha"});
  ASSERT_TRUE(until([&] { return count("events", "hello start") >= 5; }));
  EXPECT_GE(count("events", "hello cleanup"), 4u) << "each time";
  EXPECT_TRUE(logged("starting its successor in 100 ms"));
  EXPECT_TRUE(logged("starting its successor in 400 ms"));
  EXPECT_EQ(count("events", "haha start"), 1u);
  EXPECT_EQ(count("events", "haha cleanup"), 1u);
  EXPECT_EQ(worker("haha").at("state"), "exited");
  EXPECT_EQ(worker("haha").at("lastExit"), "exit 0");
  EXPECT_EQ(Wire(program.port()).ask("echo"), "echo");
}

TEST_F(Programs, M19_AModuleToRunOnceMayRetireAndFailuresAreTriedAgain) {
  start({}, {"MODULES=retiree,unlucky"});
  ASSERT_TRUE(until([&] { return worker("unlucky").at("state") == "exited"; }));
  EXPECT_EQ(count("events", "unlucky start"), 3u);
  EXPECT_EQ(worker("unlucky").at("restarts"), 2);
  ASSERT_TRUE(until([&] { return worker("retiree").at("state") == "exited"; }));
  EXPECT_EQ(count("events", "retiree start"), 1u);
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(count("events", "retiree start"), 1u) << "a reload runs it not";
  EXPECT_EQ(worker("retiree").at("state"), "exited");
}

TEST_F(Programs, M19_AWorkerWithAnAddressCannotRunOnce) {
  const Outcome outcome = runCommand(
      {BRIGADE_PROGRAMS_SUBJECT, "start", "--run-dir", program.directory()},
      environment({"MODULES=listener"}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("worker 'listener' listens on "
                             "text://127.0.0.1:0, and so cannot run once"),
            std::string::npos)
      << outcome.err;
}

}  // namespace
}  // namespace brigade::test
