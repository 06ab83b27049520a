#include "brigade/Worker/detail/Recycling.h"

#include <gtest/gtest.h>

#include <string>

#include "brigade/Worker/detail/ProcessFacts.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

TEST(Recycling, N10_CountsFromWhereTheProcessBegan) {
  ConnectionCounters counters;
  counters.messages.set(5000);  // of those before it
  Recycling recycling({.messages = 100}, counters, 0);
  EXPECT_EQ(recycling.messageMark(), 5100u);
  counters.messages.add(99);
  EXPECT_EQ(recycling.due({}), "");
  counters.messages.add();
  EXPECT_EQ(recycling.due({}), "has received 100 messages");
}

TEST(Recycling, N10_AddsUpToATenthByChance) {
  const ConnectionCounters counters;
  EXPECT_EQ(Recycling({.messages = 1000}, counters, 0).messageMark(), 1000u);
  EXPECT_EQ(Recycling({.messages = 1000}, counters, UINT32_MAX).messageMark(),
            1100u);
  EXPECT_EQ(Recycling({.messages = 1}, counters, UINT32_MAX).messageMark(), 1u);
}

TEST(Recycling, N10_CountsConnectionsToo) {
  ConnectionCounters counters;
  Recycling recycling({.accepts = 2}, counters, 0);
  EXPECT_EQ(recycling.messageMark(), UINT64_MAX) << "no word about messages";
  counters.accepted.add();
  EXPECT_EQ(recycling.due({}), "");
  counters.accepted.add();
  EXPECT_EQ(recycling.due({}), "has accepted 2 connections");
}

TEST(Recycling, N10_LooksAtMemoryFourTimesASecondAtMost) {
  const ConnectionCounters counters;
  const std::uint64_t now = residentBytes();
  ASSERT_GT(now, 0u);
  Recycling small({.memory = 4096}, counters, 0);
  EXPECT_EQ(small.messageMark(), 0u);
  EXPECT_TRUE(small.due(Clock::time_point{milliseconds(1)})
                  .ends_with(" bytes in memory"));
  EXPECT_EQ(small.due(Clock::time_point{milliseconds(250)}), "");
  EXPECT_NE(small.due(Clock::time_point{milliseconds(251)}), "");
  Recycling large({.memory = 100 * now}, counters, 0);
  EXPECT_EQ(large.due(Clock::time_point{milliseconds(1)}), "");
}

TEST(Recycling, N10_WithoutALimitIsOff) {
  const ConnectionCounters counters;
  Recycling recycling({}, counters);
  EXPECT_FALSE(recycling.isOn());
  EXPECT_EQ(recycling.messageMark(), UINT64_MAX);
  EXPECT_EQ(recycling.due(Clock::now()), "");
}

}  // namespace
}  // namespace brigade::detail
