#include "brigade/Process/Backoff.h"

#include <gtest/gtest.h>

namespace brigade {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BackoffTest, TheFirstSuccessorComesAtOnceAndTheNextWaitTwiceAsLong) {
  Backoff backoff;
  for (const int expected : {0, 100, 200, 400, 800, 1600, 3200}) {
    EXPECT_EQ(backoff.onDeath(seconds(0)), milliseconds(expected));
  }
}

TEST(BackoffTest, NoWaitIsLongerThanThirtySeconds) {
  Backoff backoff;
  for (int i = 0; i < 20; ++i) backoff.onDeath(seconds(0));
  EXPECT_EQ(backoff.onDeath(seconds(0)), seconds(30));
}

TEST(BackoffTest, AChildThatServedForASecondStartsAnew) {
  Backoff backoff;
  for (int i = 0; i < 5; ++i) backoff.onDeath(milliseconds(999));
  EXPECT_EQ(backoff.onDeath(milliseconds(1000)), seconds(0));
  EXPECT_EQ(backoff.onDeath(seconds(0)), milliseconds(100));
}

TEST(BackoffTest, TheTimesMayBeSet) {
  Backoff backoff({.first = milliseconds(5),
                   .longest = milliseconds(15),
                   .stable = milliseconds(50)});
  for (const int expected : {0, 5, 10, 15, 15}) {
    EXPECT_EQ(backoff.onDeath(milliseconds(49)), milliseconds(expected));
  }
  EXPECT_EQ(backoff.onDeath(milliseconds(50)), seconds(0));
}

TEST(BackoffTest, AtMostTenForksInTheFirstTenSeconds) {
  Backoff backoff;
  Backoff::Duration now{0};
  int forks = 0;
  for (; now <= seconds(10); ++forks) now += backoff.onDeath(seconds(0));
  EXPECT_LE(forks, 10);
}

TEST(BackoffTest, C19_X01_DelaysAreThePolicys) {
  Backoff backoff({.first = milliseconds(2000), .longest = milliseconds(5000)});
  for (const int expected : {0, 2000, 4000, 5000, 5000}) {
    EXPECT_EQ(backoff.onDeath(seconds(0)), milliseconds(expected));
  }
  EXPECT_FALSE(backoff.givesUp());
}

TEST(BackoffTest, X01_GivesUpAfterYoungDeathsInARowOnly) {
  Backoff backoff({.stable = milliseconds(50), .giveUpAfter = 3});
  backoff.onDeath(seconds(0));
  backoff.onDeath(seconds(0));
  backoff.onDeath(milliseconds(50));
  EXPECT_FALSE(backoff.givesUp());
  for (int i = 0; i < 3; ++i) backoff.onDeath(milliseconds(49));
  EXPECT_TRUE(backoff.givesUp());
  backoff.reset();
  EXPECT_FALSE(backoff.givesUp());
}

TEST(BackoffTest, P10_WhereNothingCanBeForkedNobodyHasDied) {
  Backoff backoff({.first = milliseconds(5),
                   .longest = milliseconds(15),
                   .giveUpAfter = 2});
  for (const int expected : {5, 10, 15, 15}) {
    EXPECT_EQ(backoff.onNoFork(), milliseconds(expected));
  }
  EXPECT_FALSE(backoff.givesUp());
  EXPECT_EQ(backoff.deaths(), 0u);
  // What comes of it then dies young: it waits as long.
  EXPECT_EQ(backoff.onDeath(seconds(0)), milliseconds(15));
  EXPECT_EQ(backoff.onDeath(seconds(1)), seconds(0));
}

TEST(BackoffTest, P10_WhoNeverWaitsWaitsForAFork) {
  Backoff backoff({.first = milliseconds(0), .longest = milliseconds(0)});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(backoff.onNoFork(), milliseconds(100));
  EXPECT_EQ(backoff.onDeath(seconds(0)), milliseconds(0));
}

}  // namespace
}  // namespace brigade
