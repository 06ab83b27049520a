// Below /tmp anybody may have been there first: a server runs in folders of
// its own there, or not at all.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"

namespace brigade::test {
namespace {

namespace fs = std::filesystem;

class RunDirectoryTest : public ::testing::Test {
 protected:
  // In a daemon, or a start that wrongly succeeds would not return.
  void expectRefusal(const std::string& directory, const std::string& reason) {
    const Outcome outcome =
        runCommand({BRIGADE_SUBJECT, "start", "-d", "--run-dir", directory});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
    if (outcome.code == 0) {
      runCommand({BRIGADE_SUBJECT, "stop", "--run-dir", directory});
    }
  }

  const TempDirectory temp;
  const std::string top = temp.name();
};

TEST_F(RunDirectoryTest, IsMadeForItsOwnerOnly) {
  const std::string directory = top + "/a/b";
  const Outcome start =
      runCommand({BRIGADE_SUBJECT, "start", "-d", "--run-dir", directory});
  ASSERT_EQ(start.code, 0) << start.err;
  for (const char* name : {"/a", "/a/b"}) {
    struct stat info {};
    ASSERT_EQ(::stat((top + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U) << name;
  }
  EXPECT_EQ(runCommand({BRIGADE_SUBJECT, "stop", "--run-dir", directory}).code,
            0);
}

TEST_F(RunDirectoryTest, WithAFolderOfSomebodyElseOnTheWayIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  fs::create_directory(top + "/theirs");
  ASSERT_EQ(::chown((top + "/theirs").c_str(), 65534, 65534), 0);
  expectRefusal(top + "/theirs/app", "/theirs belongs to uid 65534");
  EXPECT_TRUE(fs::is_empty(top + "/theirs")) << "made something there";
}

TEST_F(RunDirectoryTest, WithALinkOnTheWayIsRefusedAndNothingMadeBehindIt) {
  fs::create_directory(top + "/target");
  fs::create_directory_symlink(top + "/target", top + "/link");
  expectRefusal(top + "/link/app", "/link is no directory");
  EXPECT_TRUE(fs::is_empty(top + "/target")) << "made something there";
}

TEST_F(RunDirectoryTest, ALogThatIsALinkIsRefused) {
  fs::create_directory(top + "/app");
  fs::create_symlink(top + "/victim", top + "/app/subject.log");
  expectRefusal(top + "/app", "cannot open log " + top + "/app/subject.log");
  EXPECT_FALSE(fs::exists(top + "/victim"));
}

TEST_F(RunDirectoryTest, ALogElsewhereMayBeALink) {
  fs::create_directory(top + "/logs");
  fs::create_symlink(top + "/real.log", top + "/logs/subject.log");
  const std::string directory = top + "/app";
  const Outcome start =
      runCommand({BRIGADE_SUBJECT, "start", "-d", "--run-dir", directory,
                  "--log-file", top + "/logs/subject.log"});
  EXPECT_EQ(start.code, 0) << start.err;
  EXPECT_TRUE(fs::exists(top + "/real.log"));
  EXPECT_EQ(runCommand({BRIGADE_SUBJECT, "stop", "--run-dir", directory}).code,
            0);
}

TEST_F(RunDirectoryTest, TwoPidFilesOfOneStemDoNotTakeEachOthersSocket) {
  const auto run = [&](const std::string& verb, const std::string& pidFile) {
    std::vector<std::string> words{BRIGADE_SUBJECT, verb};
    if (verb == "start") words.emplace_back("-d");
    words.insert(words.end(), {"--run-dir", top, "--pid-file", top + pidFile});
    return runCommand(words);
  };
  ASSERT_EQ(run("start", "/app.pid").code, 0);
  const Outcome second = run("start", "/app.lock");
  EXPECT_EQ(second.code, 1);
  EXPECT_NE(second.err.find("/app.sock: Address already in use"),
            std::string::npos)
      << second.err;
  EXPECT_EQ(run("status", "/app.pid").code, 0);
  EXPECT_EQ(run("stop", "/app.pid").code, 0);
}

}  // namespace
}  // namespace brigade::test
