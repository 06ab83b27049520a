#include "brigade/Process/MasterDeath.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace brigade {
namespace {

TEST(MasterDeathTest, AStuckProcessEndsAfterItsMaster) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t master = ::fork();
  if (master == 0) {
    const pid_t worker = ::fork();
    if (worker == 0) {
      ::close(ends[0]);
      followMaster(::getppid(), std::chrono::seconds(0));
      const char ready = 'r';
      if (::write(ends[1], &ready, 1) != 1) ::_exit(1);
      for (;;) {  // stuck, and deaf to everything but its end
      }
    }
    ::pause();
  }
  ::close(ends[1]);
  char byte;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  ::kill(master, SIGKILL);
  // Its end of the pipe closes with the stuck process.
  pollfd end{ends[0], POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 10'000), 1);
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::close(ends[0]);
}

}  // namespace
}  // namespace brigade
