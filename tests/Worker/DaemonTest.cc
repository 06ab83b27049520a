#include "brigade/Worker/detail/Daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <system_error>

#include "tests/support/Pipe.h"
#include "tests/support/TempDirectory.h"

namespace brigade::detail {
namespace {

using std::filesystem::path;
using test::Pipe;

class DaemonTest : public ::testing::Test {
 protected:
  ~DaemonTest() override {
    EXPECT_EQ(tell_.readAll(), "") << "something is left behind";
  }

  // Forks a "first process" that becomes a daemon, in which `body` runs. What
  // the body tells is in told_ once the daemon and its children are gone.
  void start(
      const std::function<void(Daemon&)>& body,
      const std::function<void()>& before = [] {}) {
    std::fflush(nullptr);
    first_ = ::fork();
    if (first_ != 0) return;
    ::dup2(error_.write.get(), STDERR_FILENO);
    error_.write.reset();
    before();
    Daemon daemon(output_.string());
    body(daemon);
    std::fflush(nullptr);
    ::_exit(0);
  }
  // Of the first process.
  int exitCode() {
    int status = 0;
    if (::waitpid(first_, &status, 0) != first_) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // Once the daemon and its children are gone.
  std::string output() {
    tell_.readAll();
    std::stringstream text;
    text << std::ifstream(output_).rdbuf();
    return text.str();
  }

  const test::TempDirectory temp_;
  const path directory_ = temp_.path();
  const path output_ = directory_ / "out";
  Pipe error_;  // stderr of the first process
  Pipe tell_;
  pid_t first_ = -1;
};

TEST_F(DaemonTest, ReadyEndsTheFirstProcessWithZero) {
  start([](Daemon& daemon) { daemon.ready(); });
  EXPECT_EQ(exitCode(), 0);
  EXPECT_EQ(error_.readAll(), "");
}

TEST_F(DaemonTest, FirstProcessWaitsUntilTheDaemonIsReady) {
  Pipe go;
  start([&](Daemon& daemon) {
    go.await();
    daemon.ready();
  });
  siginfo_t info = {};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(first_), &info,
                     WEXITED | WNOHANG | WNOWAIT),
            0);
  EXPECT_EQ(info.si_pid, 0) << "it has ended already";
  go.say("go");
  EXPECT_EQ(exitCode(), 0);
}

TEST_F(DaemonTest, FailedShowsTheReasonAndEndsTheFirstProcessWithOne) {
  start([](Daemon& daemon) {
    daemon.failed("cannot bind tcp://0.0.0.0:80: Permission denied");
  });
  EXPECT_EQ(exitCode(), 1);
  EXPECT_EQ(error_.readAll(),
            "cannot bind tcp://0.0.0.0:80: Permission denied\n");
}

TEST_F(DaemonTest, AReasonOfMoreThanOneReadArrivesWhole) {
  const std::string reason(30'000, 'r');
  start([&](Daemon& daemon) { daemon.failed(reason); });
  EXPECT_EQ(error_.readAll(), reason + "\n");
  EXPECT_EQ(exitCode(), 1);
}

TEST_F(DaemonTest, DeathWithoutAWordIsReported) {
  start([](Daemon&) { ::raise(SIGKILL); });
  EXPECT_EQ(exitCode(), 1);
  EXPECT_EQ(error_.readAll(), "the daemon died before it was ready\n");
}

TEST_F(DaemonTest, DeathIsSeenThoughAChildOfTheDaemonLives) {
  Pipe go;
  start([&](Daemon& daemon) {
    Pipe closed;
    if (::fork() == 0) {
      daemon.closeInChild();
      closed.write.reset();
      go.await();
      ::_exit(0);
    }
    closed.readAll();
    ::raise(SIGKILL);
  });
  EXPECT_EQ(exitCode(), 1);
  // The child holds nothing of the caller's stderr either.
  EXPECT_EQ(error_.readAll(), "the daemon died before it was ready\n");
  go.say("go");
}

TEST_F(DaemonTest, AChildThatKeepsThePipeKeepsNobodyWaiting) {
  for (const bool good : {true, false}) {
    Pipe go;
    start([&](Daemon& daemon) {
      if (::fork() == 0) {
        go.await();
        tell_.say("lives ");
        ::_exit(0);
      }
      if (good) {
        daemon.ready();
      } else {
        daemon.failed("no");
      }
    });
    EXPECT_EQ(exitCode(), good ? 0 : 1);
    go.say("go");
  }
  EXPECT_EQ(tell_.readAll(), "lives lives ");
}

TEST_F(DaemonTest, LeavesTheSessionAndCannotGetATerminal) {
  start([this](Daemon& daemon) {
    std::string text;
    if (::getsid(0) == ::getpid()) text += "leads its session ";
    if (::open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0) text += "has a terminal ";
    tell_.say(text + "session " + std::to_string(::getsid(0)));
    daemon.ready();
  });
  EXPECT_EQ(exitCode(), 0);
  const std::string told = tell_.readAll();
  EXPECT_TRUE(told.starts_with("session ")) << told;
  EXPECT_NE(told, "session " + std::to_string(::getsid(0)));
}

TEST_F(DaemonTest, W22_KeepsUmaskAndDirectory) {
  start(
      [this](Daemon& daemon) {
        const mode_t mask = ::umask(0);
        tell_.say(std::to_string(mask) + " " +
                  std::filesystem::current_path().string());
        daemon.ready();
      },
      [this] {
        ::umask(027);
        std::filesystem::current_path(directory_);
      });
  EXPECT_EQ(tell_.readAll(), std::to_string(027) + " " + directory_.string());
  EXPECT_EQ(exitCode(), 0);
  struct stat facts = {};
  ASSERT_EQ(::stat(output_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640U);
}

TEST_F(DaemonTest, StdinIsEmpty) {
  start([this](Daemon& daemon) {
    char byte;
    tell_.say(std::to_string(::read(STDIN_FILENO, &byte, 1)));
    daemon.ready();
  });
  EXPECT_EQ(tell_.readAll(), "0");
  EXPECT_EQ(exitCode(), 0);
}

TEST_F(DaemonTest, StdoutIsAppendedToTheFileAndStderrFollowsOnceReady) {
  std::ofstream(output_) << "before\n";
  start([](Daemon& daemon) {
    std::printf("out\n");
    std::fflush(stdout);
    std::fprintf(stderr, "early\n");
    daemon.ready();
    std::fprintf(stderr, "late\n");
  });
  EXPECT_EQ(exitCode(), 0);
  EXPECT_EQ(error_.readAll(), "early\n");
  EXPECT_EQ(output(), "before\nout\nlate\n");
}

TEST_F(DaemonTest, StderrFollowsAfterAFailureAsWell) {
  start([](Daemon& daemon) {
    daemon.failed("no");
    std::fprintf(stderr, "late\n");
  });
  EXPECT_EQ(exitCode(), 1);
  EXPECT_EQ(error_.readAll(), "no\n");
  EXPECT_EQ(output(), "late\n");
}

TEST_F(DaemonTest, StderrOfAChildIsTheFileAtOnce) {
  start([](Daemon& daemon) {
    const pid_t child = ::fork();
    if (child == 0) {
      daemon.closeInChild();
      std::fprintf(stderr, "child\n");
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    daemon.ready();
  });
  EXPECT_EQ(exitCode(), 0);
  EXPECT_EQ(error_.readAll(), "");
  EXPECT_EQ(output(), "child\n");
}

TEST_F(DaemonTest, WritesNothingTwiceThatWasBuffered) {
  start([](Daemon& daemon) { daemon.ready(); },
        [this] {
          ::dup2(tell_.write.get(), STDOUT_FILENO);
          std::printf("buffered");
        });
  EXPECT_EQ(exitCode(), 0);
  EXPECT_EQ(tell_.readAll(), "buffered");
}

TEST_F(DaemonTest, GoesOnWhenTheFirstProcessIsGone) {
  Pipe up;
  Pipe go;
  start([&](Daemon& daemon) {
    up.say("up");
    go.await();
    daemon.ready();
    tell_.say("alive");
  });
  up.await();
  ::kill(first_, SIGKILL);
  EXPECT_EQ(exitCode(), -SIGKILL);
  go.say("go");
  EXPECT_EQ(tell_.readAll(), "alive");
}

TEST_F(DaemonTest, WorksWithoutStandardDescriptors) {
  start(
      [this](Daemon& daemon) {
        tell_.say("alive");
        daemon.ready();
        if (::write(STDERR_FILENO, "late\n", 5) != 5) ::abort();
      },
      [] {
        for (const int fd : {0, 1, 2}) ::close(fd);
      });
  EXPECT_EQ(exitCode(), 0);
  EXPECT_EQ(tell_.readAll(), "alive");
  error_.readAll();
  EXPECT_EQ(output(), "late\n");
}

TEST_F(DaemonTest, ThrowsWhatIsWrongBeforeItForks) {
  const std::string bad = (directory_ / "none" / "out").string();
  try {
    Daemon daemon(bad);
    FAIL() << "no exception";
  } catch (const std::system_error& error) {
    EXPECT_EQ(std::string(error.what()),
              "cannot open " + bad + ": No such file or directory");
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace brigade::detail
