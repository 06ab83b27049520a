#pragma once

// The fixture of the suite that every event loop passes, and its verbs.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade::test {

using std::chrono::milliseconds;

class On final : public Watcher {
 public:
  explicit On(std::function<void(Ready)> function)
      : function_(std::move(function)) {}
  void onReady(Ready ready) override {
    ++calls;
    last = ready;
    if (function_) function_(ready);
  }

  int calls = 0;
  Ready last;

 private:
  std::function<void(Ready)> function_;
};

// Two ends of a stream; neither blocks.
struct SocketPair {
  SocketPair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                     ends) != 0) {
      throw std::system_error(errno, std::system_category(), "socketpair");
    }
    near.reset(ends[0]);
    far.reset(ends[1]);
  }

  // Makes the near end readable, and consumes that.
  void feed() const { EXPECT_EQ(::write(far.get(), "x", 1), 1); }
  void drain() const {
    char bytes[64];
    while (::read(near.get(), bytes, sizeof(bytes)) > 0) {
    }
  }

  FileDescriptor near;
  FileDescriptor far;
};

inline void spinUntil(Clock::time_point moment) {
  while (Clock::now() < moment) {
  }
}

// A ring of io_uring that an earlier test has closed interrupts the waits of
// this process until the kernel has taken it apart.
inline void waitUntilUndisturbed() {
  while (::poll(nullptr, 0, 150) != 0) {
  }
}

// True when the child left with exit code 0.
inline bool succeeds(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

class EventLoopTest : public testing::TestWithParam<std::string> {
 protected:
  // Runs until a callback stops the loop; half a minute is a failure.
  void run() {
    const TimerId deadline =
        loop->add(std::chrono::seconds(30), Repeat::kOnce, [this] {
          ADD_FAILURE() << "nothing stopped the loop";
          loop->stop();
        });
    loop->loop();
    loop->del(deadline);
  }

  // Runs for `turns` turns that do not sleep.
  void runTurns(int turns) {
    stopAfter(turns);
    run();
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop(GetParam());

 private:
  void stopAfter(int turns) {
    loop->defer([this, turns] {
      if (turns == 1) {
        loop->stop();
      } else {
        stopAfter(turns - 1);
      }
    });
  }
};

}  // namespace brigade::test
