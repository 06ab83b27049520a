// What programs and their master say to each other, and garbage.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/support/ProgramsFixture.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

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
    const bool isThere = name == std::string("talker");
    const std::string expected = isThere ? "told sent" : "told gone";
    EXPECT_TRUE(until([&] { return count("events", expected) == 1; })) << name;
    // Before its server ends, and it too.
    if (isThere) {
      EXPECT_TRUE(until([&] { return count("heard", "told you") == 1; }));
    }
  }
  EXPECT_EQ(count("heard", "told you"), 1u);
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

}  // namespace
}  // namespace brigade::test
