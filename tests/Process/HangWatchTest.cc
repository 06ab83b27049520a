#include "brigade/Process/HangWatch.h"

#include <gtest/gtest.h>

namespace brigade {
namespace {

using std::chrono::milliseconds;

class HangWatchTest : public ::testing::Test {
 protected:
  Clock::duration look(RunState state = RunState::kRuns, pid_t pid = 10) {
    return watch.look(1, pid, pulse, state, now);
  }
  void wakeUp() {
    ++pulse.turns;
    pulse.sleeping = false;
  }
  void fallAsleep() { pulse.sleeping = true; }
  void pass(milliseconds time) { now += time; }

  HangWatch watch;
  Pulse pulse;
  Clock::time_point now{};
};

TEST_F(HangWatchTest, OneThatIsAwakeAndDoesNotTurnHangs) {
  wakeUp();
  EXPECT_EQ(look(), milliseconds(0));
  pass(milliseconds(300));
  EXPECT_EQ(look(), milliseconds(300));
  pass(milliseconds(200));
  EXPECT_EQ(look(), milliseconds(500));
}

TEST_F(HangWatchTest, OneThatTurnedMeanwhileDoesNot) {
  wakeUp();
  look();
  pass(milliseconds(300));
  wakeUp();
  EXPECT_EQ(look(), milliseconds(0));
  pass(milliseconds(100));
  EXPECT_EQ(look(), milliseconds(100));
}

TEST_F(HangWatchTest, OneThatSleepsDoesNotHoweverLong) {
  wakeUp();
  look();
  fallAsleep();
  for (int i = 0; i < 3; ++i) {
    pass(milliseconds(10000));
    EXPECT_EQ(look(), milliseconds(0));
  }
  pulse.sleeping = false;
  EXPECT_EQ(look(), milliseconds(0)) << "it has only just woken up";
}

TEST_F(HangWatchTest, X04_OneThatIsStoppedHangsAsleepOrNot) {
  fallAsleep();
  EXPECT_EQ(look(RunState::kStopped), milliseconds(0));
  pass(milliseconds(700));
  EXPECT_EQ(look(RunState::kStopped), milliseconds(700));
  EXPECT_EQ(look(), milliseconds(0)) << "it goes on";
}

TEST_F(HangWatchTest, OneInADebuggerIsLeftAlone) {
  wakeUp();
  look();
  pass(milliseconds(10000));
  EXPECT_EQ(look(RunState::kTraced), milliseconds(0));
  EXPECT_EQ(look(), milliseconds(0));
}

TEST_F(HangWatchTest, ASuccessorIsNotBlamedForWhatItFollows) {
  wakeUp();
  look();
  pass(milliseconds(10000));
  EXPECT_EQ(look(RunState::kRuns, 11), milliseconds(0));
}

}  // namespace
}  // namespace brigade
