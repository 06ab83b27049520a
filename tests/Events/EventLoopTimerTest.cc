// Timers, over every event loop there is here.

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <random>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

class EventLoopTimerTest : public EventLoopTest {
 protected:
  // Holds the loop up until `moment`, so that what is due before it is due in
  // the same turn.
  void stallUntil(Clock::time_point moment) {
    loop->defer([moment] { spinUntil(moment); });
  }
};

TEST_P(EventLoopTimerTest, M08_AOneShotTimerRunsOnceAndNotEarly) {
  const auto start = Clock::now();
  Clock::time_point ranAt;
  int runs = 0;
  loop->add(milliseconds(20), Repeat::kOnce, [&] {
    ++runs;
    ranAt = Clock::now();
  });
  loop->add(milliseconds(40), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_EQ(runs, 1);
  EXPECT_GE(ranAt, start + milliseconds(20));
}

TEST_P(EventLoopTimerTest, ATimerAddedLateInATurnDoesNotRunEarly) {
  Clock::time_point added;
  Clock::time_point ranAt;
  loop->add(milliseconds(0), Repeat::kOnce, [&] {
    spinUntil(loop->now() + milliseconds(10));
    added = Clock::now();
    loop->add(milliseconds(10), Repeat::kOnce, [&] {
      ranAt = Clock::now();
      loop->stop();
    });
  });
  run();
  EXPECT_GE(ranAt, added + milliseconds(10));
}

TEST_P(EventLoopTimerTest, TimersDueInOneTurnRunInTheOrderOfTheirDueTimes) {
  // When a timer is due, as far as its caller can tell.
  struct Due {
    Clock::time_point earliest;
    Clock::time_point latest;
  };
  std::vector<Due> due;
  std::vector<std::size_t> order;
  Clock::time_point last;
  for (const int delay : {5, 1, 4, 2, 3}) {
    const auto before = Clock::now() + milliseconds(delay);
    loop->add(milliseconds(delay), Repeat::kOnce, [&, index = due.size()] {
      order.push_back(index);
      if (order.size() == due.size()) loop->stop();
    });
    due.push_back({before, Clock::now() + milliseconds(delay)});
    last = std::max(last, due.back().latest);
  }
  stallUntil(last);
  run();
  ASSERT_EQ(order.size(), due.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    EXPECT_LE(due[order[i - 1]].earliest, due[order[i]].latest) << i;
  }
}

TEST_P(EventLoopTimerTest, TimersRunBeforeDescriptorsAndSignals) {
  const SocketPair before;
  const SocketPair after;
  std::vector<std::string> order;
  On watcher([&](Ready) { order.emplace_back("descriptor"); });
  loop->add(before.near.get(), Interest::kRead, watcher);
  loop->add(Signal{SIGUSR1}, [&] { order.emplace_back("signal"); });
  loop->add(after.near.get(), Interest::kRead, watcher);
  loop->defer([&] {
    loop->add(milliseconds(1), Repeat::kOnce, [&] {
      order.emplace_back("timer");
      loop->stop();
    });
    before.feed();
    after.feed();
    ::raise(SIGUSR1);
    spinUntil(Clock::now() + milliseconds(3));
  });
  run();
  ASSERT_EQ(order.size(), 4U);
  EXPECT_EQ(order.front(), "timer");
}

TEST_P(EventLoopTimerTest, ATimerCancelsOneThatIsDueInTheSameTurn) {
  bool ran = false;
  TimerId victim{};
  loop->add(milliseconds(1), Repeat::kOnce, [&] { loop->del(victim); });
  victim = loop->add(milliseconds(2), Repeat::kOnce, [&] { ran = true; });
  loop->add(milliseconds(3), Repeat::kOnce, [&] { loop->stop(); });
  stallUntil(Clock::now() + milliseconds(5));
  run();
  EXPECT_FALSE(ran);
}

TEST_P(EventLoopTimerTest, ATimerCancelsADescriptorThatIsReadyInTheSameTurn) {
  const SocketPair pair;
  On watcher([](Ready) {});
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->defer([&] {
    loop->add(milliseconds(1), Repeat::kOnce, [&] {
      loop->del(pair.near.get());
      loop->stop();
    });
    pair.feed();
    spinUntil(Clock::now() + milliseconds(3));
  });
  run();
  EXPECT_EQ(watcher.calls, 0);
}

TEST_P(EventLoopTimerTest, M08_ARepeatingTimerCancelsItselfFromInside) {
  int ticks = 0;
  TimerId timer{};
  timer = loop->add(milliseconds(1), Repeat::kEvery, [&] {
    if (++ticks < 3) return;
    loop->del(timer);
    loop->add(milliseconds(5), Repeat::kOnce, [&] { loop->stop(); });
  });
  run();
  EXPECT_EQ(ticks, 3);
}

TEST_P(EventLoopTimerTest, ATimerDeletedFromOutsideDoesNotRun) {
  bool ran = false;
  const TimerId timer =
      loop->add(milliseconds(1), Repeat::kOnce, [&] { ran = true; });
  loop->del(timer);
  loop->del(timer);
  loop->del(TimerId{});
  loop->add(milliseconds(5), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_FALSE(ran);
}

TEST_P(EventLoopTimerTest, AnEarlierTimerAddedLaterDoesNotWaitForTheFirst) {
  bool lateRan = false;
  const TimerId late = loop->add(std::chrono::seconds(20), Repeat::kOnce,
                                 [&] { lateRan = true; });
  runTurns(1);
  loop->add(milliseconds(5), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_FALSE(lateRan);
  loop->del(late);
}

TEST_P(EventLoopTimerTest, ZeroDelaysFromInsideATimerDoNotStarveTheLoop) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  std::function<void()> again = [&] {
    loop->add(milliseconds(0), Repeat::kOnce, again);
    if (watcher.calls == 0 && loop->timerCount() == 2) pair.feed();
  };
  again();
  run();
  EXPECT_EQ(watcher.calls, 1);
}

// The nth tick is never early, and one that was late does not push back those
// behind it: if each were counted from the one before, no two ticks would be
// less than a period apart.
TEST_P(EventLoopTimerTest, M08_AThousandTicksKeepTheirCadence) {
  constexpr int kTicks = 1000;
  constexpr milliseconds kPeriod(1);
  const auto start = Clock::now();
  auto last = start;
  int ticks = 0;
  int early = 0;
  int caughtUp = 0;
  loop->add(kPeriod, Repeat::kEvery, [&] {
    ++ticks;
    if (loop->now() < start + ticks * kPeriod) ++early;
    if (loop->now() - last < kPeriod) ++caughtUp;
    last = loop->now();
    if (ticks == kTicks) loop->stop();
  });
  run();
  EXPECT_EQ(ticks, kTicks);
  EXPECT_EQ(early, 0);
  EXPECT_GE(caughtUp, kTicks / 50);
}

TEST_P(EventLoopTimerTest, TicksMissedWhileTheLoopWasBusyAreSkipped) {
  std::vector<Clock::duration> ticks;
  const auto start = Clock::now();
  loop->add(milliseconds(10), Repeat::kEvery, [&] {
    ticks.push_back(Clock::now() - start);
    if (ticks.size() == 1) spinUntil(Clock::now() + milliseconds(35));
    if (ticks.size() == 3) loop->stop();
  });
  run();
  // Due at 10, then once for 20, 30 and 40 together, and at 50 again.
  EXPECT_GE(ticks[1], milliseconds(45));
  EXPECT_GE(ticks[2], milliseconds(50));
}

TEST_P(EventLoopTimerTest, TenThousandTimersRunOnceEachAndDeletedOnesDoNot) {
  constexpr std::size_t kTimers = 10'000;
  std::mt19937 random(1);
  std::vector<TimerId> doomed;
  std::vector<int> runs(kTimers);
  std::size_t left = kTimers / 2;
  for (std::size_t i = 0; i < kTimers; ++i) {
    const TimerId id =
        loop->add(milliseconds(random() % 50), Repeat::kOnce, [&, i] {
          ++runs[i];
          if (--left == 0) loop->stop();
        });
    if (i % 2 == 0) doomed.push_back(id);
  }
  EXPECT_EQ(loop->timerCount(), kTimers);
  for (const TimerId id : doomed) loop->del(id);
  EXPECT_EQ(loop->timerCount(), kTimers / 2);
  run();
  for (std::size_t i = 0; i < kTimers; ++i) {
    EXPECT_EQ(runs[i], static_cast<int>(i % 2)) << i;
  }
}

TEST_P(EventLoopTimerTest, TimerCountIsThatOfTheProgramsTimers) {
  EXPECT_EQ(loop->timerCount(), 0U);
  const TimerId every = loop->add(milliseconds(1), Repeat::kEvery, [] {});
  loop->add(milliseconds(2), Repeat::kOnce, [&] { loop->stop(); });
  EXPECT_EQ(loop->timerCount(), 2U);
  loop->loop();
  EXPECT_EQ(loop->timerCount(), 1U);
  loop->del(every);
  EXPECT_EQ(loop->timerCount(), 0U);
}

TEST_P(EventLoopTimerTest, ADeletedTimerDoesNotKeepTheLoopAwake) {
  waitUntilUndisturbed();
  Pulse pulse;
  loop->setPulse(pulse);
  const TimerId soon = loop->add(milliseconds(5), Repeat::kOnce, [] {});
  runTurns(1);
  loop->del(soon);
  loop->add(milliseconds(60), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_LE(pulse.turns, 4U);
}

TEST_P(EventLoopTimerTest, ATimerNeedsNoDescriptorOfItsOwn) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  // The lowest free number: those below it are all taken.
  const FileDescriptor lowest(::dup(STDERR_FILENO));
  const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1,
                    .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_LT(::dup(STDERR_FILENO), 0);
  bool ran = false;
  loop->add(milliseconds(1), Repeat::kOnce, [&] { ran = true; });
  loop->loop();
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(ran);
}

INSTANTIATE_TEST_SUITE_P(, EventLoopTimerTest,
                         testing::ValuesIn(eventLoopNames()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace brigade::test
