// Programs and modules under a master. A test that begins with the number of a
// row shows what that row of the reference systems promises.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;
using Lines = std::vector<std::string>;

class Programs : public ::testing::Test {
 protected:
  // Programs may run as somebody else.
  Programs() { ::chmod(folder.name().c_str(), 0777); }

  // Adds a program; the settings are the subject's.
  void add(const std::string& name, const Lines& command,
           const json& more = json::object()) {
    json one = more;
    one["name"] = name;
    one["command"] = command;
    settings.push_back(one);
  }
  Lines environment(const Lines& more = {}) {
    std::ofstream(folder / "settings") << settings;
    Lines all{"PROGRAMS=" + folder / "settings", "EVENTS=" + folder / "events"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void start(const Lines& options = {}, const Lines& more = {}) {
    program.start(options, environment(more));
  }

  std::string script(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << "#!/bin/sh\n" << text;
    ::chmod((folder / name).c_str(), 0755);
    return folder / name;
  }
  Lines lines(const std::string& file) const {
    Lines all;
    std::ifstream in(folder / file);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::size_t count(const std::string& file, const std::string& text) const {
    const Lines all = lines(file);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const std::string& line) {
          return line.find(text) != std::string::npos;
        }));
  }
  // The PIDs in a file that scripts write them to.
  std::vector<pid_t> pids(const std::string& file) const {
    std::vector<pid_t> all;
    for (const std::string& line : lines(file)) all.push_back(std::stoi(line));
    return all;
  }
  bool until(const std::function<bool()>& condition) {
    return eventually(condition);
  }

  json row(const std::string& name) const {
    const json all = program.status().at("programs");
    for (const json& each : all) {
      if (each.at("name") == name) return each;
    }
    return nullptr;
  }
  std::string state(const std::string& name) const {
    return row(name).at("state").get<std::string>();
  }
  pid_t pidOf(const std::string& name) const {
    const json pid = row(name).at("pid");
    return pid.is_null() ? 0 : pid.get<pid_t>();
  }
  bool runs(const std::string& name) const {
    return row(name).at("state") == "running";
  }
  json worker(const std::string& name) const {
    const json all = program.status().at("workers");
    for (const json& each : all) {
      if (each.at("name") == name) return each;
    }
    return nullptr;
  }
  bool logged(const std::string& text) const {
    return program.log().find(text) != std::string::npos;
  }

  static bool allGone(const std::vector<pid_t>& processes) {
    return std::none_of(processes.begin(), processes.end(), processExists);
  }
  // What /proc says of a process: "Uid:", "Groups:" ...
  static std::string fact(pid_t pid, const std::string& file,
                          const std::string& key) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/" + file);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with(key)) continue;
      std::istringstream words(line.substr(key.size()));
      std::string text;
      for (std::string word; words >> word;) text += word + " ";
      return text;
    }
    return "";
  }
  static std::set<std::string> descriptors(pid_t pid) {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(pid) + "/fd")) {
      all.insert(entry.path().filename());
    }
    return all;
  }

  TempDirectory folder;
  json settings = json::array();
  Program program{BRIGADE_PROGRAMS_SUBJECT};
};

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

// ---- M-17: the channel

TEST_F(Programs, M17_TheLastArgumentIsAWorkingChannelToTheMaster) {
  add("talker", {BRIGADE_COMPANION, "talk", folder / "heard"});
  start();
  ASSERT_TRUE(until([&] { return lines("heard").size() == 1; }));
  EXPECT_EQ(lines("heard")[0], "yo there");
  const pid_t first = pidOf("talker");
  EXPECT_EQ(lines("events")[0],
            "talker " + std::to_string(first) + " hi there");
  EXPECT_EQ(descriptors(first), (std::set<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(row("talker").at("messages"), 1);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(until([&] { return lines("heard").size() == 2; }));
  EXPECT_EQ(lines("heard")[1], "yo there");
  EXPECT_EQ(lines("events")[1],
            "talker " + std::to_string(pidOf("talker")) + " hi there");
}

TEST_F(Programs, M17_AShellScriptSpeaksAndListens) {
  add("sh", {script("sh.sh",
                    "printf 'hi\\000from sh' >&\"$BRIGADE_CHANNEL\"\n"
                    "dd bs=70000 count=1 <&3 2>/dev/null | tr '\\000' ' ' > " +
                        folder / "heard" + "\nexec sleep 999\n")});
  start();
  ASSERT_TRUE(until([&] { return lines("heard") == Lines{"yo from sh"}; }));
}

TEST_F(Programs, M17_ThePythonOfTheReadmeSpeaksAndListens) {
  std::ofstream(folder / "talk.py")
      << "import socket, sys, time\n"
         "master = socket.socket(fileno=int(sys.argv[-1]))\n"
         "master.send(b\"hi\\0\" + b\"there\")\n"
         "event, _, data = master.recv(70000).partition(b\"\\0\")\n"
         "print((event + b' ' + data).decode(), flush=True)\n"
         "time.sleep(999)\n";
  add("python", {"/usr/bin/python3", folder / "talk.py"},
      {{"logFile", folder / "heard"}});
  start();
  ASSERT_TRUE(until([&] { return lines("heard") == Lines{"yo there"}; }));
}

TEST_F(Programs, M17_TheLastWordsOfADyingProgramAreHeard) {
  add("sh",
      {script("sh.sh",
              "for i in 1 2 3 4 5; do printf \"word\\000$i\" >&3; done\n"
              "kill -9 $$\n")},
      {{"once", true}});
  start();
  ASSERT_TRUE(until([&] { return state("sh") == "exited"; }));
  ASSERT_EQ(lines("events").size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(lines("events")[i].ends_with("word " + std::to_string(i + 1)));
  }
}

TEST_F(Programs, M17_SendTellsWhetherAMessageWasTaken) {
  add("deaf", {BRIGADE_COMPANION, "say", "fill", "me"});
  add("dead", {"true"}, {{"once", true}});
  add("talker", {BRIGADE_COMPANION, "talk", folder / "heard"});
  start();
  ASSERT_TRUE(until([&] { return count("events", "fill full") == 1; }));
  EXPECT_EQ(count("events", "fill sent"), 1u);
  EXPECT_EQ(count("events", "fill queued"), 1u);
  EXPECT_EQ(Wire(program.port()).ask("still here"), "still here");
  // From one to another, to one that has ended, to nobody.
  ASSERT_TRUE(until([&] { return state("dead") == "exited"; }));
  for (const char* name : {"talker", "dead", "nobody"}) {
    Program second(BRIGADE_PROGRAMS_SUBJECT);
    settings = json::array();
    add("dead", {"true"}, {{"once", true}});
    add("talker", {BRIGADE_COMPANION, "talk", folder / "heard"});
    add("teller", {script("tell.sh", "until [ -e " + folder / "go" +
                                         " ]; do sleep 0.01; done\n"
                                         "printf 'tell\\000" +
                                         name + "' >&3\nexec sleep 999\n")});
    std::filesystem::remove(folder / "go");
    std::filesystem::remove(folder / "events");
    second.start({}, environment());
    ASSERT_TRUE(until([&] {
      const json all = second.status().at("programs");
      return all[0].at("state") == "exited" && all[1].at("state") == "running";
    }));
    std::ofstream(folder / "go") << "x";
    const std::string expected =
        name == std::string("talker") ? "told sent" : "told gone";
    EXPECT_TRUE(until([&] { return count("events", expected) == 1; })) << name;
  }
  EXPECT_TRUE(until([&] { return count("heard", "told you") == 1; }));
}

TEST_F(Programs, AnExceptionInTheHandlerIsLoggedAndTheMasterGoesOn) {
  add("sh", {script("sh.sh",
                    "printf 'throw\\000' >&3\nprintf 'after\\000' >&3\n"
                    "exec sleep 999\n")});
  start();
  ASSERT_TRUE(until([&] { return count("events", "after") == 1; }));
  EXPECT_TRUE(logged("exception in onProgramMessage: asked to throw"));
}

// ---- M-18: garbage

TEST_F(Programs, M18_AProgramThatSpeaksGarbageHurtsOnlyItself) {
  const std::vector<std::pair<std::string, std::string>> kinds{
      {"short", "a message without an event"},
      {"header", "a message whose event has no name"},
      {"huge", "a message without an event"},
      {"long", "a message that is too long"},
      {"empty", "a message whose event has no name"},
      {"descriptor", "a message with descriptors"}};
  for (const auto& [kind, reason] : kinds) {
    add(kind, {BRIGADE_COMPANION, "bad", kind});
  }
  add("noise", {BRIGADE_COMPANION, "noise"});
  add("talker", {BRIGADE_COMPANION, "talk", folder / "heard"});
  start();
  for (const auto& [kind, reason] : kinds) {
    ASSERT_TRUE(until([&, &kind = kind] {
      return row(kind).at("badMessages") == 1;
    })) << kind;
    EXPECT_TRUE(runs(kind));
    EXPECT_TRUE(logged("program " + kind + ", pid " +
                       std::to_string(pidOf(kind)) +
                       ": its channel is closed: it sent " + reason))
        << kind << "\n"
        << program.log();
  }
  ASSERT_TRUE(until([&] { return row("noise").at("restarts") >= 3; }));
  EXPECT_EQ(row("noise").at("lastExit"), "exited code 4");
  EXPECT_GE(row("noise").at("badMessages"), 3);
  // All of it goes on: the noisy one is started again and again.
  const double before = cpuSeconds(program.masterPid());
  const auto end = Clock::now() + seconds(2);
  while (Clock::now() < end) {
    ASSERT_EQ(Wire(program.port()).ask("echo"), "echo");
    eventually([] { return false; }, seconds(0));
  }
  EXPECT_LT(cpuSeconds(program.masterPid()) - before, 0.02 * 2);
  EXPECT_EQ(lines("heard").size(), 1u) << "another's channel works";
  EXPECT_EQ(row("talker").at("badMessages"), 0);
}

TEST_F(Programs, M18_AFloodIsSlowedDownAndThenCutOff) {
  add("flood", {BRIGADE_COMPANION, "flood"});
  const auto begun = Clock::now();
  start();
  ASSERT_TRUE(until([&] { return row("flood").at("messages") >= 1000; }));
  const double before = cpuSeconds(program.masterPid());
  const auto end = Clock::now() + seconds(2);
  while (Clock::now() < end) {
    ASSERT_EQ(Wire(program.port()).ask("echo"), "echo");
  }
  EXPECT_LT(cpuSeconds(program.masterPid()) - before, 0.02 * 2);
  ASSERT_TRUE(until([&] { return row("flood").at("badMessages") == 1; }));
  // A second in which it came to say less, as on a busy machine, does not
  // count.
  const auto took = std::chrono::ceil<seconds>(Clock::now() - begun).count();
  EXPECT_GE(row("flood").at("messages"), 5000);
  EXPECT_LE(row("flood").at("messages"), 1000 * (took + 1));
  EXPECT_TRUE(logged("it sent a flood: over 1000 messages a second"));
  EXPECT_TRUE(runs("flood"));
}

TEST_F(Programs, M18_GarbageMayEndTheProgram) {
  add("again", {BRIGADE_COMPANION, "bad", "short"},
      {{"endIfBad", true}, {"firstBackoff", 200}});
  add("once", {BRIGADE_COMPANION, "bad", "short"},
      {{"endIfBad", true}, {"once", true}});
  start();
  ASSERT_TRUE(until([&] { return state("once") == "exited"; }));
  EXPECT_EQ(row("once").at("lastExit"), "exited signal 15");
  ASSERT_TRUE(until([&] { return row("again").at("restarts") >= 3; }));
  EXPECT_TRUE(logged("again, pid")) << program.log();
  EXPECT_TRUE(logged("starting it again in 400 ms")) << "it is held back";
}

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
