#pragma once

// CommandsFixture: the command line, and a master that behaves as a test says,
// in a process of its own.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/ControlSocket.h"
#include "brigade/Process/PidFile.h"
#include "brigade/Worker/detail/Commands.h"
#include "brigade/Worker/detail/Status.h"
#include "tests/support/Pipe.h"
#include "tests/support/TempDirectory.h"

namespace brigade::detail {

using test::Pipe;
using test::readUntil;

inline int exitCodeOf(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// What the master does with a request.
struct FakeMaster {
  EventInterface& loop;
  std::string request;
  ControlSocket::Reply reply;

  void say(const std::string& line) const { reply.line(line); }
  void leave() const { loop.stop(); }
};
using Behaviour = std::function<void(const FakeMaster&)>;

class Commands : public ::testing::Test {
 protected:
  Commands() {
    config_.name = "shout";
    config_.runDirectory = directory_.string();
    config_.pidFile = (directory_ / "shout.pid").string();
    config_.stopTimeout = std::chrono::milliseconds(0);
    config_.readyTimeout = std::chrono::milliseconds(0);
  }
  ~Commands() override { endMaster(); }

  // A process that holds the pid file and answers with `behaviour`.
  void startMaster(const Behaviour& behaviour) {
    Pipe ready;
    std::fflush(nullptr);
    master_ = ::fork();
    if (master_ == 0) {
      serve(behaviour, ready.write);
      ::_exit(0);
    }
    ready.write.reset();
    ASSERT_EQ(readUntil(ready.read.get(), "ready"), "ready");
  }
  void endMaster() {
    if (master_ <= 0) return;
    ::kill(master_, SIGKILL);
    exitCodeOf(master_);
    master_ = -1;
  }

  int run(Invocation invocation) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = runCommand(invocation, config_);
    out_ = ::testing::internal::GetCapturedStdout();
    error_ = ::testing::internal::GetCapturedStderr();
    return code;
  }
  int run(Command command) {
    Invocation invocation;
    invocation.command = command;
    return run(invocation);
  }
  // In a process of its own; its stdout is `output`.
  pid_t runApart(Invocation invocation, int output) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(output, STDOUT_FILENO);
      ::_exit(runCommand(invocation, config_));
    }
    return child;
  }
  // As an ordinary user: a refusal on stderr, and the exit code.
  int runUnprivileged(Command command) {
    Invocation invocation;
    invocation.command = command;
    Pipe error;
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(error.write.get(), STDERR_FILENO);
      if (::setuid(4711) != 0) ::_exit(99);
      ::_exit(runCommand(invocation, config_));
    }
    error.write.reset();
    error_ = readUntil(error.read.get(), "");
    return exitCodeOf(child);
  }
  std::string masterPid() const { return std::to_string(master_); }

  static ProgramStatus someStatus() {
    ProgramStatus status;
    status.name = "shout";
    status.workers.resize(2);
    status.workers[0].index = 1;
    status.workers[1].index = 2;
    return status;
  }
  static void answerStatus(const FakeMaster& master) {
    if (master.request != "status") return;
    master.say(statusLine(someStatus()));
    master.say(resultLine(true, ""));
  }

  const test::TempDirectory temp_;
  const std::filesystem::path directory_ = temp_.path();
  RunConfig config_;
  pid_t master_ = -1;
  std::string out_;
  std::string error_;

 private:
  void serve(const Behaviour& behaviour, const FileDescriptor& ready) {
    const auto loop = makeEventLoop("epoll");
    const PidFile pidFile(config_.pidFile);
    const ControlSocket control(
        *loop, controlSocketPath(config_),
        [&](std::string_view request, ControlSocket::Reply reply) {
          behaviour({*loop, std::string(request), std::move(reply)});
        });
    if (::write(ready.get(), "ready", 5) != 5) ::_exit(1);
    loop->loop();
  }
};

}  // namespace brigade::detail
