#include "brigade/Events/detail/TimerQueue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

class TimerQueueTest : public testing::Test {
 protected:
  TimerId once(int delay, TimerQueue::Callback callback) {
    return queue.add(now, milliseconds(delay), Repeat::kOnce,
                     std::move(callback));
  }
  TimerId every(int delay, TimerQueue::Callback callback) {
    return queue.add(now, milliseconds(delay), Repeat::kEvery,
                     std::move(callback));
  }
  TimerQueue::Callback note(std::string text) {
    return [this, text = std::move(text)] { notes.push_back(text); };
  }
  void advance(int by) {
    now += milliseconds(by);
    runDue();
  }
  void runDue() {
    const TimerQueue::Round round = queue.beginRound(now);
    while (queue.runNext(round)) {
    }
  }

  TimerQueue queue;
  Clock::time_point now{std::chrono::hours(1)};
  std::vector<std::string> notes;
};

TEST_F(TimerQueueTest, AnEmptyQueueIsNeverDue) {
  EXPECT_EQ(queue.earliest(), Clock::time_point::max());
  EXPECT_EQ(queue.size(), 0U);
  runDue();
}

TEST_F(TimerQueueTest, ATimerRunsAtItsDueTimeAndNotBefore) {
  once(10, note("a"));
  EXPECT_EQ(queue.earliest(), now + milliseconds(10));
  advance(9);
  EXPECT_TRUE(notes.empty());
  advance(1);
  EXPECT_EQ(notes, std::vector<std::string>{"a"});
  EXPECT_EQ(queue.size(), 0U);
}

TEST_F(TimerQueueTest, TimersRunInTheOrderOfDueTimesThenOfAdding) {
  once(3, note("d"));
  once(2, note("b"));
  once(1, note("a"));
  once(2, note("c"));
  advance(5);
  EXPECT_EQ(notes, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(TimerQueueTest, ANegativeDelayIsDueNow) {
  once(-5, note("a"));
  EXPECT_EQ(queue.earliest(), now);
  runDue();
  EXPECT_EQ(notes.size(), 1U);
}

TEST_F(TimerQueueTest, ADelayBeyondTheClockIsNeverDue) {
  queue.add(now, Clock::duration::max(), Repeat::kOnce, note("a"));
  queue.add(now, Clock::duration::max(), Repeat::kEvery, note("b"));
  EXPECT_EQ(queue.earliest(), Clock::time_point::max());
  advance(1'000'000);
  EXPECT_TRUE(notes.empty());
}

TEST_F(TimerQueueTest, ARepeatingTimerKeepsItsCadence) {
  std::vector<Clock::time_point> dueTimes;
  const Clock::time_point start = now;
  every(10, note("tick"));
  for (int tick = 1; tick <= 1000; ++tick) {
    EXPECT_EQ(queue.earliest(), start + tick * milliseconds(10));
    now = queue.earliest() + milliseconds(3);  // Always three late.
    runDue();
  }
  EXPECT_EQ(notes.size(), 1000U);
}

TEST_F(TimerQueueTest, MissedTicksAreSkipped) {
  const Clock::time_point start = now;
  every(10, note("tick"));
  advance(45);
  EXPECT_EQ(notes.size(), 1U);
  EXPECT_EQ(queue.earliest(), start + milliseconds(50));
  advance(5);
  EXPECT_EQ(notes.size(), 2U);
  EXPECT_EQ(queue.earliest(), start + milliseconds(60));
}

TEST_F(TimerQueueTest, ARepeatingTimerWithoutADelayRunsOnceARound) {
  every(0, note("tick"));
  advance(1);
  advance(1);
  EXPECT_EQ(notes.size(), 2U);
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(TimerQueueTest, WhatIsAddedInARoundWaitsForTheNext) {
  std::function<void()> again = [&] {
    notes.emplace_back("again");
    once(0, again);
  };
  again();
  runDue();
  EXPECT_EQ(notes.size(), 2U);
  runDue();
  EXPECT_EQ(notes.size(), 3U);
}

TEST_F(TimerQueueTest, DelRemovesATimerAndOnlyThat) {
  const TimerId a = once(1, note("a"));
  once(1, note("b"));
  queue.del(a);
  queue.del(a);
  EXPECT_EQ(queue.size(), 1U);
  advance(1);
  EXPECT_EQ(notes, std::vector<std::string>{"b"});
}

TEST_F(TimerQueueTest, AnOldIdDoesNotNameTheTimerThatTookItsPlace) {
  const TimerId old = once(1, note("old"));
  queue.del(old);
  const TimerId fresh = once(1, note("new"));
  EXPECT_NE(old, fresh);
  queue.del(old);
  queue.del(TimerId{});
  queue.del(TimerId{UINT64_MAX});
  advance(1);
  EXPECT_EQ(notes, std::vector<std::string>{"new"});
}

TEST_F(TimerQueueTest, ARepeatingTimerDeletesItselfFromInside) {
  TimerId timer{};
  int captured = 0;
  timer = every(1, [&, own = std::make_shared<int>(7)] {
    queue.del(timer);
    captured = *own;  // The callback outlives its deletion.
    notes.emplace_back("tick");
  });
  advance(1);
  advance(10);
  EXPECT_EQ(notes.size(), 1U);
  EXPECT_EQ(captured, 7);
  EXPECT_EQ(queue.size(), 0U);
}

TEST_F(TimerQueueTest, ARepeatingTimerThatReplacesItselfRunsOnAsTheNewOne) {
  TimerId timer{};
  timer = every(1, [&] {
    queue.del(timer);
    timer = every(1, note("new"));
    notes.emplace_back("old");
  });
  advance(1);
  advance(1);
  advance(1);
  EXPECT_EQ(notes, (std::vector<std::string>{"old", "new", "new"}));
}

TEST_F(TimerQueueTest, AOneShotDeletingItselfFromInsideHarmsNobody) {
  TimerId timer{};
  timer = once(1, [&] {
    const TimerId next = once(1, note("next"));
    queue.del(timer);
    EXPECT_NE(next, timer);
  });
  advance(1);
  advance(1);
  EXPECT_EQ(notes, std::vector<std::string>{"next"});
}

TEST_F(TimerQueueTest, ATimerDeletesOneThatIsDueInTheSameRound) {
  TimerId victim{};
  once(1, [&] { queue.del(victim); });
  victim = once(2, note("victim"));
  advance(5);
  EXPECT_TRUE(notes.empty());
}

TEST_F(TimerQueueTest, ManyTimersAddedFromInsideDoNotDisturbTheRunningOne) {
  every(1, [&, own = std::make_shared<int>(0)] {
    for (int i = 0; i < 1000; ++i) once(1000, note("later"));
    ++*own;
    notes.push_back(std::to_string(*own));
  });
  advance(1);
  advance(1);
  EXPECT_EQ(notes, (std::vector<std::string>{"1", "2"}));
}

TEST_F(TimerQueueTest, AnExceptionPassesThroughAndTheRoundCanGoOn) {
  every(1, [] { throw std::runtime_error("tick"); });
  once(2, note("after"));
  now += milliseconds(2);
  const TimerQueue::Round round = queue.beginRound(now);
  EXPECT_THROW(queue.runNext(round), std::runtime_error);
  EXPECT_TRUE(queue.runNext(round));
  EXPECT_FALSE(queue.runNext(round));
  EXPECT_EQ(notes, std::vector<std::string>{"after"});
  now += milliseconds(1);
  EXPECT_THROW(queue.runNext(queue.beginRound(now)), std::runtime_error);
}

TEST_F(TimerQueueTest, ADyingCallbackMayUseTheQueue) {
  TimerId other = once(1, note("other"));
  const TimerId timer =
      once(1, [guard = std::shared_ptr<void>(
                   nullptr, [&](void*) { queue.del(other); })] {});
  queue.del(timer);
  EXPECT_EQ(queue.size(), 0U);
}

TEST_F(TimerQueueTest, ThousandsOfTimersRunInOrderWhateverIsDeleted) {
  constexpr std::size_t kTimers = 20'000;
  std::mt19937 random(42);
  std::vector<int> ran;
  std::vector<TimerId> ids;
  std::vector<int> delays;
  for (std::size_t i = 0; i < kTimers; ++i) {
    const int delay = static_cast<int>(random() % 5000);
    ids.push_back(once(delay, [&ran, delay] { ran.push_back(delay); }));
    delays.push_back(delay);
  }
  std::vector<int> expected;
  for (std::size_t i = 0; i < kTimers; ++i) {
    if (random() % 3 == 0) {
      queue.del(ids[i]);
    } else {
      expected.push_back(delays[i]);
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(queue.size(), expected.size());
  for (int step = 0; step <= 50; ++step) advance(100);
  EXPECT_EQ(ran, expected);
}

TEST_F(TimerQueueTest, ClearDropsEveryTimer) {
  once(1, note("a"));
  every(1, note("b"));
  queue.clear();
  advance(5);
  EXPECT_TRUE(notes.empty());
  EXPECT_EQ(queue.earliest(), Clock::time_point::max());
}

}  // namespace
}  // namespace brigade::detail
