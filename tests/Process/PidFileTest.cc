#include "brigade/Process/PidFile.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/TempDirectory.h"

namespace brigade {
namespace {

class PidFileTest : public ::testing::Test {
 protected:
  const test::TempDirectory directory;
  const std::string path = directory / "a.pid";
};

TEST_F(PidFileTest, HoldsThePidAndIsRemoved) {
  {
    const PidFile file(path);
    pid_t pid = 0;
    std::ifstream(path) >> pid;
    EXPECT_EQ(pid, ::getpid());
    EXPECT_EQ(PidFile::look(path).state, PidFile::State::kRunning);
    EXPECT_EQ(PidFile::look(path).pid, ::getpid());
  }
  EXPECT_EQ(PidFile::look(path).state, PidFile::State::kNone);
}

TEST_F(PidFileTest, ASecondHolderIsRefusedWithPidAndPath) {
  const PidFile file(path);
  try {
    const PidFile second(path);
    FAIL() << "two holders";
  } catch (const AlreadyRunning& e) {
    EXPECT_EQ(e.what(), "already running as pid " + std::to_string(::getpid()) +
                            " (" + path + ")");
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(PidFileTest, W22_NobodyElseMayReadItAndSoLockIt) {
  std::ofstream(path) << "1\n";
  std::filesystem::permissions(path, std::filesystem::perms{0644});
  const PidFile file(path);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms{0600});
}

TEST_F(PidFileTest, P26_X12_AStaleFileIsTakenOver) {
  std::ofstream(path) << "1\n";
  EXPECT_EQ(PidFile::look(path).state, PidFile::State::kStale);
  EXPECT_EQ(PidFile::look(path).pid, 1);
  const PidFile file(path);
  EXPECT_EQ(PidFile::look(path).pid, ::getpid());
}

TEST_F(PidFileTest, AChildThatClosesItHoldsNothing) {
  const std::string link = path + ".link";
  int go[2];
  int closed[2];
  ASSERT_EQ(::pipe(go), 0);
  ASSERT_EQ(::pipe(closed), 0);
  pid_t child;
  {
    PidFile file(path);
    // The same file by a name that stays when the pid file is removed.
    std::filesystem::create_hard_link(path, link);
    child = ::fork();
    if (child == 0) {
      file.closeInChild();
      ::close(go[1]);
      char byte = 'x';
      if (::write(closed[1], &byte, 1) != 1) ::_exit(1);
      ::_exit(static_cast<int>(::read(go[0], &byte, 1)));
    }
  }
  char byte;
  ASSERT_EQ(::read(closed[0], &byte, 1), 1);
  // The child lives, and does not hold the lock.
  EXPECT_EQ(PidFile::look(link).state, PidFile::State::kStale);
  for (const int fd : {go[0], go[1], closed[0], closed[1]}) ::close(fd);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(PidFileTest, APathThatCannotBeOpenedIsNamed) {
  try {
    const PidFile file("/proc/no/such.pid");
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_NE(std::string(e.what()).find("/proc/no/such.pid"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace brigade
