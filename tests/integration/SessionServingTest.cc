// Sessions of a running program: over the wire, over processes that end, are
// replaced or are killed, and in the folder that they are kept in.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/WebClient.h"

namespace brigade::test {
namespace {

namespace fs = std::filesystem;

class SessionServingTest : public ::testing::Test {
 protected:
  void start(std::vector<std::string> options = {}) {
    program.start(std::move(options), {"SESSION_FOLDER=" + folder});
  }

  // What a browser does: it sends the cookie it has, and takes a new one. Each
  // request on a connection of its own, which any process may get.
  HttpAnswer get(const std::string& path) {
    const std::string field =
        cookie.empty() ? "" : "Cookie: " + cookie + "\r\n";
    const HttpAnswer answer = WebClient(program.port()).get(path, field);
    const std::string set = answer.field("Set-Cookie").value_or("");
    if (set.find("Max-Age=0") != std::string::npos) {
      cookie.clear();
    } else if (!set.empty()) {
      cookie = set.substr(0, set.find(';'));
    }
    return answer;
  }
  std::string ask(const std::string& path) { return get(path).body; }

  std::size_t files() const {
    const fs::directory_iterator all(folder);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  const TempDirectory temp;
  const std::string folder = temp / "sessions";
  std::string cookie;
  Program program{BRIGADE_SESSION_SUBJECT};
};

TEST_F(SessionServingTest, ACookieBringsASessionBack) {
  start();
  EXPECT_EQ(ask("/get/a"), "none");
  EXPECT_EQ(cookie, "") << "nothing is kept of who has nothing";
  const HttpAnswer answer = get("/set/a/1");
  EXPECT_EQ(answer.field("Set-Cookie"),
            cookie + "; Path=/; HttpOnly; SameSite=Lax");
  EXPECT_EQ(answer.field("Cache-Control"), "private");
  EXPECT_EQ(ask("/get/a"), "1");
  EXPECT_EQ(get("/set/b/2").field("Set-Cookie"), std::nullopt) << "it has one";
  EXPECT_EQ(ask("/get/a") + ask("/get/b"), "12");
  EXPECT_EQ(files(), 1U);
  cookie.clear();
  EXPECT_EQ(ask("/get/a"), "none") << "somebody else's";
}

TEST_F(SessionServingTest, LateAndStreamedAnswersBringTheCookie) {
  start();
  EXPECT_EQ(ask("/late/a/1"), "late");
  EXPECT_EQ(ask("/get/a"), "1");
  cookie.clear();
  EXPECT_EQ(ask("/stream/a/2"), "in pieces");
  EXPECT_EQ(ask("/get/a"), "2");
}

TEST_F(SessionServingTest, LoginGivesAnotherIdAndLogoutNone) {
  start();
  ask("/set/cart/apples");
  const std::string before = cookie;
  EXPECT_EQ(ask("/login/ada"), "welcome");
  const std::string after = cookie;
  EXPECT_NE(after, before);
  EXPECT_EQ(ask("/get/user") + ask("/get/cart"), "adaapples");
  cookie = before;
  EXPECT_EQ(ask("/get/cart"), "none");
  cookie = after;
  EXPECT_EQ(ask("/logout"), "bye");
  EXPECT_EQ(cookie, "") << "the client was told to forget it";
  cookie = after;
  EXPECT_EQ(ask("/get/user"), "none");
  EXPECT_EQ(files(), 0U);
}

TEST_F(SessionServingTest, NobodyChoosesHisId) {
  start();
  std::ofstream(temp / "secret") << "secret";
  const std::string planted = "session=" + std::string(32, 'a');
  for (const std::string& hostile :
       {planted, std::string("session=../secret"),
        std::string("session=..%2fsecret"), "session=" + std::string(8000, 'a'),
        std::string("session=\t\"';\xff")}) {
    cookie = hostile;
    EXPECT_EQ(ask("/get/a"), "none");
    EXPECT_EQ(ask("/set/a/1"), "set");
    EXPECT_NE(cookie, hostile);
    EXPECT_EQ(ask("/get/a"), "1");
  }
  EXPECT_FALSE(fs::exists(folder + "/" + std::string(32, 'a')));
}

TEST_F(SessionServingTest, P07_IdsAreNeverTheSame) {
  start({"--workers", "4"});
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    cookie.clear();
    ask("/set/a/1");
    EXPECT_TRUE(seen.insert(cookie).second) << cookie;
  }
  EXPECT_EQ(files(), 50U);
}

TEST_F(SessionServingTest, TooMuchForASessionIs500AndTheSessionStays) {
  start();
  ask("/set/a/1");
  EXPECT_EQ(get("/big/70000").status, 500);
  EXPECT_TRUE(eventually([&] {
    return program.log().find("maxBytes is 65536") != std::string::npos;
  })) << program.log();
  EXPECT_EQ(ask("/get/a") + ask("/get/big"), "1none");
  EXPECT_EQ(get("/big/60000").status, 200);
  EXPECT_EQ(ask("/get/big").size(), 60'000U);
}

TEST_F(SessionServingTest, ACorruptFileIsNoSession) {
  start();
  ask("/set/a/1");
  const std::string id = cookie.substr(cookie.find('=') + 1);
  fs::resize_file(folder + "/" + id, 30);
  fs::last_write_time(folder + "/" + id, fs::file_time_type::clock::now() +
                                             std::chrono::minutes(5));
  EXPECT_EQ(ask("/get/a"), "none");
  EXPECT_EQ(ask("/set/a/2"), "set");
  EXPECT_NE(cookie, "session=" + id);
  EXPECT_EQ(ask("/get/a"), "2");
}

TEST_F(SessionServingTest, AllProcessesHaveTheSameSessions) {
  start({"--workers", "3"});
  for (int i = 1; i <= 40; ++i) EXPECT_EQ(ask("/count"), std::to_string(i));
}

TEST_F(SessionServingTest, SurvivesReloadKillAndRestart) {
  start({"--workers", "2"});
  EXPECT_EQ(ask("/count"), "1");
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(ask("/count"), "2");
  const auto pids = program.workerPids();
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto now = program.workerPids();
    return now.size() == 2 &&
           std::none_of(now.begin(), now.end(), [&](pid_t pid) {
             return pid == 0 || pid == pids[0] || pid == pids[1];
           });
  }));
  EXPECT_EQ(ask("/count"), "3");
  ASSERT_EQ(program.command({"stop"}).code, 0);
  program.wait();
  start();
  EXPECT_EQ(ask("/count"), "4");
}

TEST_F(SessionServingTest, RemovesWhatHasExpiredByItself) {
  fs::create_directory(folder);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  const auto now = fs::file_time_type::clock::now();
  const auto make = [&](const std::string& name) {
    std::ofstream{folder + "/" + name};
    fs::last_write_time(folder + "/" + name, now - std::chrono::minutes(2));
  };
  // More than one step.
  for (int i = 100; i < 400; ++i) {
    make(std::string(29, 'a') + std::to_string(i));
  }
  make("1");
  start({"--workers", "2"});
  EXPECT_TRUE(eventually([&] { return files() == 1; })) << files();
  EXPECT_TRUE(fs::exists(folder + "/1")) << "which is no session's name";
}

// ---- In the master

class MasterSessionServingTest : public SessionServingTest {
 protected:
  void startInMaster(std::vector<std::string> options) {
    program.start(std::move(options), {"SESSION_PLACE=master"});
  }
  // As get(), and which process has answered.
  std::pair<std::string, pid_t> askWhom(const std::string& path) {
    const std::string field =
        cookie.empty() ? "" : "Cookie: " + cookie + "\r\n";
    const HttpAnswer answer = WebClient(program.port()).get(path, field);
    const std::string set = answer.field("Set-Cookie").value_or("");
    if (!set.empty()) cookie = set.substr(0, set.find(';'));
    return {answer.body,
            static_cast<pid_t>(std::stol(answer.field("X-Pid").value_or("0")))};
  }
};

TEST_F(MasterSessionServingTest, C15_ALoginSurvivesTheDeathOfItsWorker) {
  startInMaster({"--workers", "2"});
  for (int i = 0; i < 100; ++i) {
    cookie.clear();
    const std::string user = "user" + std::to_string(i);
    const auto [answer, writer] = askWhom("/login/" + user);
    const pid_t pid = writer;  // a binding is no variable to a lambda
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_EQ(answer, "welcome");
    ASSERT_TRUE(eventually([&] { return !processExists(pid); }));
    ASSERT_EQ(ask("/get/user"), user) << "death " << i;
  }
}

TEST_F(MasterSessionServingTest, C15_TheVeryNextRequestReadsWhatWasWritten) {
  startInMaster({"--workers", "4"});
  std::set<pid_t> writers, readers;
  int elsewhere = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string value = std::to_string(i);
    const auto [written, writer] = askWhom("/set/a/" + value);
    const auto [read, reader] = askWhom("/get/a");
    ASSERT_EQ(read, value);
    writers.insert(writer);
    readers.insert(reader);
    elsewhere += writer == reader ? 0 : 1;
  }
  EXPECT_EQ(writers.size(), 4U);
  EXPECT_EQ(readers.size(), 4U);
  EXPECT_GT(elsewhere, 500);
}

TEST_F(MasterSessionServingTest, ReloadsKeepThemAndARestartDoesNot) {
  startInMaster({"--workers", "2"});
  EXPECT_EQ(ask("/count"), "1");
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(ask("/count"), "2");
  ASSERT_EQ(program.command({"stop"}).code, 0);
  program.wait();
  startInMaster({});
  EXPECT_EQ(ask("/count"), "1");
}

TEST_F(MasterSessionServingTest, LogoutIsKnownToAllAtOnce) {
  startInMaster({"--workers", "4"});
  for (int i = 0; i < 100; ++i) {
    ask("/login/ada");
    const std::string before = cookie;
    EXPECT_EQ(ask("/logout"), "bye");
    cookie = before;
    ASSERT_EQ(ask("/get/user"), "none");
  }
}

TEST_F(MasterSessionServingTest, OfManyThatRegenerateOneSessionOneGetsIt) {
  startInMaster({"--workers", "4"});
  ask("/set/a/1");
  const std::string before = cookie;
  std::vector<std::unique_ptr<WebClient>> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(std::make_unique<WebClient>(program.port()));
    ASSERT_TRUE(clients.back()->send(
        "GET /login/ada HTTP/1.1\r\nHost: a\r\nCookie: " + before +
        "\r\n\r\n"));
  }
  int won = 0;
  for (const auto& client : clients) {
    const std::string set = client->answer().field("Set-Cookie").value_or("");
    cookie = set.substr(0, set.find(';'));
    won += ask("/get/a") == "1" ? 1 : 0;
  }
  EXPECT_EQ(won, 1);
}

TEST_F(MasterSessionServingTest, AStoppedMasterCostsTheSessionsOnly) {
  startInMaster({"--workers", "1"});
  EXPECT_EQ(ask("/count"), "1");
  ASSERT_EQ(::kill(program.masterPid(), SIGSTOP), 0);
  EXPECT_EQ(ask("/get/count"), "none") << "it is served without";
  ASSERT_EQ(::kill(program.masterPid(), SIGCONT), 0);
  EXPECT_TRUE(eventually([&] { return ask("/get/count") == "1"; }));
  EXPECT_TRUE(eventually([&] {
    return program.log().find("sessions: load: Connection timed out") !=
           std::string::npos;
  })) << program.log();
}

// ---- The folder

TEST_F(SessionServingTest, WithoutAFolderTheyAreInTheRunDirectory) {
  program.start();
  EXPECT_EQ(ask("/set/a/1"), "set");
  const fs::path there = program.directory() + "/a-subject.sessions";
  struct stat info {};
  ASSERT_EQ(::stat(there.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  EXPECT_EQ(std::distance(fs::directory_iterator(there), {}), 1);
}

TEST_F(SessionServingTest, TwoWorkersShareSessionsOnlyWhereTheyNameAFolder) {
  const std::string one = program.directory() + "/a-subject.sessions";
  for (const std::string second : {"a/subject", "a-subject"}) {
    program.launch({}, {"SECOND_NAME=" + second});
    EXPECT_EQ(program.wait(), 1);
    EXPECT_NE(
        program.log().find("two Workers would keep their sessions in " + one +
                           ": give each Worker a name, or name a "
                           "folder\n"),
        std::string::npos)
        << program.log();
  }
  program.start({}, {"SECOND_NAME=other"});
  EXPECT_TRUE(fs::exists(one));
  EXPECT_TRUE(fs::exists(program.directory() + "/other.sessions"));
  program.command({"stop"});
  program.wait();
  program.start({}, {"SECOND_NAME=a-subject", "SESSION_FOLDER=" + folder});
  EXPECT_EQ(ask("/set/a/1"), "set");
  EXPECT_EQ(files(), 1U);
}

TEST_F(SessionServingTest, AFolderThatIsOpenToOthersRefusesTheStart) {
  fs::create_directory(folder);
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  program.launch({}, {"SESSION_FOLDER=" + folder});
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(program.log().find("cannot use the folder of sessions " + folder +
                               ": it is open to others"),
            std::string::npos)
      << program.log();
}

TEST_F(SessionServingTest, BelongsToTheUserThatTheProcessesRunAs) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  ASSERT_EQ(::chmod(temp.name().c_str(), 0711), 0);
  program.start({}, {"SESSION_FOLDER=" + folder, "SERVER_USER=nobody"});
  EXPECT_EQ(ask("/set/a/1"), "set");
  EXPECT_EQ(ask("/get/a"), "1");
  struct stat info {};
  ASSERT_EQ(::stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 65534U);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
}

TEST_F(SessionServingTest, AFolderOutOfReachRefusesTheStart) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  program.launch({}, {"SESSION_FOLDER=" + folder, "SERVER_USER=nobody"});
  EXPECT_EQ(program.wait(), 1);
  EXPECT_NE(program.log().find("cannot use the folder of sessions " + folder +
                               ": Permission denied"),
            std::string::npos)
      << program.log();
}

}  // namespace
}  // namespace brigade::test
