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

TEST(ExitStatusTest, X09_SaysWhyWhenThatIsKnown) {
  ExitStatus status{0, SIGKILL, false};
  status.cause = ExitCause::kHung;
  status.detail = "hung for 5000 ms";
  EXPECT_EQ(status.toString(), "hung for 5000 ms (killed by SIGKILL)");
}

}  // namespace
}  // namespace brigade
