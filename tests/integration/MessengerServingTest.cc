// The Messenger between real processes: ones that are killed, stopped and
// replaced. What needs none of that is in tests/Process/MailboxTest.cc.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/MessengerFixture.h"
#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class MessengerServing : public MessengerFixture {
 protected:
  // How often a process has fallen asleep so far (proc(5)).
  static std::uint64_t voluntarySwitches(pid_t pid) {
    constexpr std::string_view kName = "voluntary_ctxt_switches:";
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(kName)) return std::stoul(line.substr(kName.size()));
    }
    return 0;
  }
  // The inodes of the sockets that a process has.
  static std::set<std::string> socketsOf(pid_t pid) {
    std::set<std::string> inodes;
    for (const auto& fd : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(pid) + "/fd")) {
      std::error_code gone;
      const std::string target =
          std::filesystem::read_symlink(fd.path(), gone).string();
      if (!target.starts_with("socket:[")) continue;
      inodes.insert(target.substr(8, target.size() - 9));
    }
    return inodes;
  }
};

TEST_F(MessengerServing, C06_C07_EveryoneHearsOfDeathAndBirthOnceAndInOrder) {
  start(3);
  const std::string births = askMaster("news");
  EXPECT_EQ(births.size(), std::string("+1.1 +2.1 +3.1 ").size()) << births;
  for (const char* birth : {"+1.1 ", "+2.1 ", "+3.1 "}) {
    EXPECT_TRUE(contains(births, birth)) << "before the start is over";
  }
  const std::string before = ask(1, "news");
  const pid_t old = killWorker(2, SIGKILL);
  ASSERT_TRUE(isReplaced(2, old));
  const std::string news = "-2.1(killed by SIGKILL) +2.2 ";
  EXPECT_TRUE(eventually([&] { return ask(1, "news") == before + news; }))
      << ask(1, "news");
  EXPECT_TRUE(eventually([&] { return contains(ask(3, "news"), news); }));
  std::string members;
  for (unsigned i = 1; i <= 3; ++i) {
    members += std::to_string(i) + ":" + std::to_string(program.workerPid(i)) +
               (i == 2 ? ":2 " : ":1 ");
  }
  for (unsigned i = 1; i <= 3; ++i) EXPECT_EQ(ask(i, "members"), members);
  EXPECT_EQ(askMaster("members"), members);
}

TEST_F(MessengerServing, C08_AnIndexIsTheSameAfterARespawn) {
  start(2);
  EXPECT_EQ(ask(1, "to 2 e one"), "sent");
  EXPECT_TRUE(eventually([&] { return ask(2, "got e") == "1 from 1: one"; }));
  ASSERT_TRUE(isReplaced(2, killWorker(2, SIGKILL)));
  ASSERT_TRUE(eventually([&] { return ask(1, "to 2 e two") == "sent"; }));
  EXPECT_TRUE(eventually([&] { return ask(2, "got e") == "1 from 1: two"; }));
}

TEST_F(MessengerServing,
       T15_M20_C03_PayloadsOfEverySizeGoBothWaysAndKillNobody) {
  start(2);
  std::vector<pid_t> pids = program.workerPids();
  for (const char* size :
       {"0", "1", "1000", "65536", "219000", "230000", "1000000", "8000000"}) {
    const std::string down = ask(1, "run 0 large 1 " + std::string(size));
    ASSERT_TRUE(down.starts_with("sent ")) << size << ": " << down;
    EXPECT_TRUE(eventually([&] {
      return contains(ask(1, "got large"), down.substr(5));
    })) << size
        << " from the master";
    const std::string up = ask(1, "large 0 " + std::string(size));
    ASSERT_TRUE(up.starts_with("sent ")) << size << ": " << up;
    EXPECT_TRUE(eventually([&] {
      return contains(askMaster("got large"), up.substr(5));
    })) << size
        << " to the master";
  }
  EXPECT_EQ(program.workerPids(), pids);
}

TEST_F(MessengerServing, C04_X04_AStoppedWorkerCostsTheOthersNothing) {
  start(4);
  const pid_t stopped = killWorker(2, SIGSTOP);
  const std::size_t before = memoryBytes(program.masterPid());
  // More than the sockets take, several times.
  std::size_t taken = 0;
  for (int i = 0; i < 20; ++i) {
    std::istringstream result(ask(1, "flood 2 5000 256"));
    std::size_t count = 0;
    long slowest = 0;
    result >> count >> slowest;
    taken += count;
    // Not even a busy machine takes so long when nothing waits.
    EXPECT_LT(slowest, 1'000'000) << "microseconds";
  }
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, 100'000u) << "past its window send() says full";
  EXPECT_LT(memoryBytes(program.masterPid()), before + 8 * 1024 * 1024);
  EXPECT_EQ(ask(1, "to 2 e x"), "full");
  EXPECT_EQ(ask(3, "broadcast e news"), "4") << "its own window is open";
  EXPECT_TRUE(eventually([&] { return ask(4, "got e") == "1 from 3: news"; }));
  EXPECT_EQ(askMaster("pid"), std::to_string(program.masterPid()));
  ::kill(stopped, SIGCONT);
  EXPECT_TRUE(eventually([&] {
    return ask(2, "got flood") == std::to_string(taken) + " from 1: in order";
  })) << ask(2, "got flood");
  EXPECT_TRUE(eventually([&] { return contains(ask(1, "room"), "2 "); }));
  EXPECT_EQ(ask(1, "to 2 e x"), "sent");
}

TEST_F(MessengerServing, C05_TheOnlyDoorFromOutsideIsTheControlSocket) {
  start(2);
  // Those of the whole tree: a worker process has none of its own.
  std::set<std::string> ours = socketsOf(program.masterPid());
  for (const pid_t pid : program.workerPids()) ours.merge(socketsOf(pid));
  std::ifstream sockets("/proc/net/unix");
  int found = 0;
  for (std::string line; std::getline(sockets, line);) {
    // Num RefCount Protocol Flags Type St Inode Path, as proc(5) has it.
    std::istringstream words(line);
    std::string skipped, flags, inode, path;
    words >> skipped >> skipped >> skipped >> flags >> skipped >> skipped >>
        inode >> path;
    const bool listens = flags == "00010000";  // __SO_ACCEPTCON
    if (!ours.contains(inode) || (!listens && path.empty())) continue;
    ++found;
    EXPECT_TRUE(path.starts_with(program.directory())) << line;
  }
  EXPECT_EQ(found, 1);
  for (const auto& file :
       std::filesystem::directory_iterator(program.directory())) {
    if (file.path().extension() != ".sock") continue;
    EXPECT_EQ(file.status().permissions() & std::filesystem::perms::all,
              std::filesystem::perms::owner_read |
                  std::filesystem::perms::owner_write);
  }
}

TEST_F(MessengerServing, T12_MapEndsByItsDeadlineWhateverTheWorkersDo) {
  start(4);
  const pid_t victim = program.workerPid(2);
  const pid_t thrower = program.workerPid(1);
  const auto begin = steady_clock::now();
  const std::string answers = ask(4, "map trouble 500");
  const auto took = steady_clock::now() - begin;
  EXPECT_EQ(answers,
            "1=error(boom) 2=died(killed by SIGKILL) "
            "3=timeout() 4=ok(fine) ");
  EXPECT_GE(took, milliseconds(500));
  EXPECT_LT(took, milliseconds(1900)) << "worker 3 hangs for 2 s";
  EXPECT_EQ(program.workerPid(1), thrower);
  ASSERT_TRUE(isReplaced(2, victim));
}

TEST_F(MessengerServing, T12_AWorkerThatDiesInAMapIsToldOfAtOnce) {
  start(2);
  const auto begin = steady_clock::now();
  const std::string answers = ask(1, "run 0 run 2 pid");
  EXPECT_EQ(answers, std::to_string(program.workerPid(2)));
  EXPECT_TRUE(contains(ask(1, "run 0 map number 5000"), "2=ok(2)"));
  Wire wire(portOf(1));
  ASSERT_TRUE(wire.send("run 2 consume die x\n"));
  EXPECT_LT(steady_clock::now() - begin, seconds(10));
}

TEST_F(MessengerServing, T12_ManyMapsLeaveNothingInTheMaster) {
  // The sanitizer keeps freed memory for a while, and notes where it was.
  start(2, {"ASAN_OPTIONS=quarantine_size_mb=0"});
  Wire wire(portOf(1));
  const auto maps = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(wire.ask("map number 5000"), "1=ok(1) 2=ok(2) ");
    }
  };
  maps(8000);
  const std::size_t before = memoryBytes(program.masterPid());
  maps(8000);
  EXPECT_LE(memoryBytes(program.masterPid()), before + 256 * 1024);
}

TEST_F(MessengerServing, T13_LargeAnswersArriveWholeAndLeaveNoMemfd) {
  start(4);
  const std::string answers =
      ask(1, "map pages 30000 " + std::to_string(64 * 1024 * 1024));
  for (unsigned i = 1; i <= 4; ++i) {
    const std::string part = std::to_string(i) + "=ok(67108864:";
    EXPECT_TRUE(contains(answers, part)) << answers;
  }
  // All have the same bytes.
  const auto sum = answers.substr(answers.find(':'), 12);
  EXPECT_NE(answers.find(sum, answers.rfind("4=")), std::string::npos);
  const auto memfds = [](pid_t pid) {
    int count = 0;
    for (const auto& fd : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(pid) + "/fd")) {
      std::error_code gone;
      const auto target = std::filesystem::read_symlink(fd.path(), gone);
      if (target.string().starts_with("/memfd:brigade payload")) ++count;
    }
    return count;
  };
  EXPECT_TRUE(eventually([&] { return memfds(program.masterPid()) == 0; }));
  for (const pid_t pid : program.workerPids()) {
    EXPECT_TRUE(eventually([&] { return memfds(pid) == 0; })) << pid;
  }
  EXPECT_LT(memoryBytes(program.masterPid()), 64u * 1024 * 1024)
      << "the master carries descriptors, not bytes";
}

TEST_F(MessengerServing, T08_ATaskWhoseWorkerIsKilledIsToldOfOrRunAgain) {
  start(3);
  const std::string once = program.directory() + "/once.log";
  EXPECT_TRUE(ask(1, "consume task-once-killed " + once).starts_with("died ") ||
              contains(ask(1, "pid"), ""))
      << "or it was the asker itself that died";
  ASSERT_TRUE(eventually([&] {
    return ask(1, "members").size() == ask(2, "members").size() &&
           ask(2, "map number 5000").find("3=") != std::string::npos;
  }));
  const std::string again = program.directory() + "/again.log";
  const std::string answer =
      askMaster("consume-again task-once-killed " + again, 2);
  EXPECT_TRUE(contains(answer, "done by") || answer == "(it closed)") << answer;
  EXPECT_TRUE(std::filesystem::exists(again));
}

TEST_F(MessengerServing, T09_OfAllThatStartOneRuns) {
  start(4, {"ONCE_AT_START=warm"});
  EXPECT_TRUE(
      eventually([&] { return contains(askMaster("got boot"), "1 from "); }));
  const pid_t old = killWorker(3, SIGKILL);
  ASSERT_TRUE(isReplaced(3, old));
  ASSERT_EQ(ask(1, "once other"), "asked");
  ASSERT_TRUE(eventually(
      [&] { return contains(askMaster("got boot"), "2 from 1: other"); }));
}

TEST_F(MessengerServing, T09_OfOneThatDiesInItAnotherRunsAndNoneAfterThat) {
  const TempDirectory folder;
  start(4, {"ONCE_FRAGILE=" + folder / "died"});
  ASSERT_TRUE(
      eventually([&] { return contains(askMaster("got boot"), "1 from "); }));
  EXPECT_TRUE(std::filesystem::exists(folder / "died"));
  // Whoever comes now asks again, and is told that it is done.
  ASSERT_TRUE(isReplaced(4, killWorker(4, SIGKILL)));
  for (unsigned i = 1; i <= 4; ++i) {
    EXPECT_TRUE(contains(askMaster("got boot", i), "1 from "));
  }
}

TEST_F(MessengerServing, T09_WithTheScopeOfAReloadItRunsOnceMoreAfterEach) {
  start(3, {"ONCE_EACH_RELOAD=warm"});
  for (int runs = 1; runs <= 3; ++runs) {
    const std::string expected = std::to_string(runs) + " from ";
    ASSERT_TRUE(eventually([&] {
      return contains(askMaster("got boot"), expected);
    })) << askMaster("got boot");
    ASSERT_TRUE(isReplaced(2, killWorker(2, SIGKILL)));
    EXPECT_TRUE(contains(askMaster("got boot", 2), expected));
    if (runs == 3) break;
    ASSERT_EQ(program.command({"reload"}).code, 0);
  }
}

TEST_F(MessengerServing, X11_AfterMailToAllTheTreeSleeps) {
  start(4);
  ASSERT_EQ(ask(1, "map number 5000"), "1=ok(1) 2=ok(2) 3=ok(3) 4=ok(4) ");
  ASSERT_EQ(ask(2, "set k v"), "done 1");
  std::vector<pid_t> pids = program.workerPids();
  pids.push_back(program.masterPid());
  const auto sleeps = [&] {
    std::vector<std::uint64_t> all;
    for (const pid_t pid : pids) all.push_back(voluntarySwitches(pid));
    return all;
  };
  // A second in which nobody wakes up at all.
  std::vector<std::uint64_t> before = sleeps();
  auto since = steady_clock::now();
  EXPECT_TRUE(eventually([&] {
    const auto now = sleeps();
    if (now != before) since = steady_clock::now();
    before = now;
    return steady_clock::now() - since > seconds(2);
  }));
}

TEST_F(MessengerServing, C11_C12_TheRingsSumReachesAllWorkers) {
  start(4);
  EXPECT_EQ(ask(2, "ring sum 0"), "10 missing");
  for (unsigned i = 1; i <= 4; ++i) {
    EXPECT_TRUE(
        eventually([&] { return ask(i, "got report") == "1 from 2: 10"; }));
  }
}

TEST_F(MessengerServing, X05_WhatAWorkerSaysBeforeItEndsIsHeard) {
  start(2);
  const pid_t old = program.workerPid(2);
  Wire wire(portOf(2));
  // What the socket's buffer of an ordinary user takes.
  ASSERT_TRUE(wire.send("last-words 400\n"));
  ASSERT_TRUE(isReplaced(2, old));
  EXPECT_EQ(askMaster("got e"), "400 from 2: 399");
  EXPECT_TRUE(contains(askMaster("news"), "-2.1(exit 0) +2.2"));
}

TEST_F(MessengerServing, C16_AnExceptionInTheMastersHandlerIsLoggedOnly) {
  start(1);
  EXPECT_EQ(ask(1, "run 0 map sum 1000 none"), "1=error(stoul) ");
  EXPECT_EQ(askMaster("ring sum none"), "none missing 1 0");
  EXPECT_TRUE(eventually(
      [&] { return contains(program.log(), "what answers 'sum': stoul"); }));
  EXPECT_EQ(askMaster("pid"), std::to_string(program.masterPid()));
}

TEST_F(MessengerServing, AReloadKeepsIndexesAndLettersReachTheSuccessors) {
  start(3);
  ASSERT_EQ(program.command({"reload"}).code, 0);
  for (unsigned i = 1; i <= 3; ++i) {
    ASSERT_TRUE(eventually(
        [&] { return contains(ask(1, "members"), std::to_string(i) + ":"); }));
    EXPECT_EQ(ask(i, "to 2 e after"), "sent");
  }
  EXPECT_TRUE(
      eventually([&] { return ask(2, "got e").starts_with("3 from "); }));
  EXPECT_TRUE(
      eventually([&] { return askMaster("members") == ask(3, "members"); }));
}

}  // namespace
}  // namespace brigade::test
