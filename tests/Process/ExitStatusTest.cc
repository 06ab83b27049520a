#include "brigade/Process/ExitStatus.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace brigade {
namespace {

TEST(ExitStatusTest, SaysHowAProcessEnded) {
  EXPECT_EQ((ExitStatus{0, 0, false}).toString(), "exit 0");
  EXPECT_EQ((ExitStatus{250, 0, false}).toString(), "exit 250");
  EXPECT_EQ((ExitStatus{0, SIGKILL, false}).toString(), "killed by SIGKILL");
  EXPECT_EQ((ExitStatus{0, SIGSEGV, true}).toString(),
            "killed by SIGSEGV (core dumped)");
  EXPECT_EQ((ExitStatus{0, 63, false}).toString(), "killed by signal 63");
}

}  // namespace
}  // namespace brigade
