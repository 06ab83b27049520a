#include "brigade/Events/TimingWheel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/Events/support/EventLoopFixture.h"
#include "tests/Events/support/JumpingLoop.h"

namespace brigade::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class Timeout final : public TimingWheel::Entry {
 public:
  Timeout() = default;
  explicit Timeout(std::function<void()> action) : action_(std::move(action)) {}
  void onTimeout() override {
    ++fired;
    if (action_) action_();
  }

  int fired = 0;

 private:
  std::function<void()> action_;
};

static_assert(sizeof(TimingWheel::Entry) <= 24 + sizeof(void*));

class TimingWheelTest : public testing::Test {
 protected:
  // How late `entry` fires when armed for `timeout` now; it must not be early.
  Clock::duration lateness(Timeout& entry, Clock::duration timeout) {
    const Clock::time_point due = loop.now() + timeout;
    wheel.set(entry, timeout);
    const int before = entry.fired;
    while (entry.fired == before && loop.timerCount() != 0) {
      loop.runFor(milliseconds(1));
    }
    EXPECT_EQ(entry.fired, before + 1);
    return loop.now() - due;
  }

  JumpingLoop loop;
  TimingWheel wheel{loop};
};

constexpr auto kTwoTicks = 2 * TimingWheel::kResolution;

TEST_F(TimingWheelTest, AnEntryFiresOnceNotEarlyAndAtMostTwoTicksLate) {
  Timeout entry;
  for (const int ms : {0, 1, 249, 250, 251, 499, 500, 1000, 12'345, 127'999,
                       128'000, 128'001, 600'000}) {
    loop.runFor(milliseconds(37));
    const auto late = lateness(entry, milliseconds(ms));
    EXPECT_GE(late, Clock::duration::zero()) << ms;
    EXPECT_LE(late, kTwoTicks) << ms;
    EXPECT_FALSE(wheel.armed(entry));
  }
  loop.runFor(hours(1));
  EXPECT_EQ(entry.fired, 13);
}

TEST_F(TimingWheelTest, ATimeoutOfAnHourGoesSeveralRounds) {
  Timeout entry;
  wheel.set(entry, hours(1));
  loop.runFor(hours(1));
  EXPECT_EQ(entry.fired, 0);
  loop.runFor(kTwoTicks);
  EXPECT_EQ(entry.fired, 1);
  EXPECT_LE(loop.turns, 32);  // One for each round of 128 s, and the end.
}

TEST_F(TimingWheelTest, EndlessAndNegativeTimeoutsAreBounded) {
  Timeout never;
  Timeout now;
  wheel.set(never, Clock::duration::max());
  wheel.set(now, milliseconds(-1));
  loop.runFor(hours(1));
  EXPECT_EQ(never.fired, 0);
  EXPECT_TRUE(wheel.armed(never));
  EXPECT_EQ(now.fired, 1);
}

TEST_F(TimingWheelTest, ARefreshPostponesTheTimeout) {
  Timeout entry;
  for (int i = 0; i < 100; ++i) {
    wheel.set(entry, seconds(2));
    loop.runFor(seconds(1));
  }
  EXPECT_EQ(entry.fired, 0);
  loop.runFor(seconds(1) + kTwoTicks);
  EXPECT_EQ(entry.fired, 1);
}

TEST_F(TimingWheelTest, AShorterTimeoutReplacesALongerOne) {
  Timeout entry;
  wheel.set(entry, seconds(60));
  wheel.set(entry, seconds(1));
  loop.runFor(seconds(1) + kTwoTicks);
  EXPECT_EQ(entry.fired, 1);
}

TEST_F(TimingWheelTest, AClearedEntryDoesNotFire) {
  Timeout entry;
  wheel.set(entry, seconds(1));
  EXPECT_TRUE(wheel.armed(entry));
  wheel.clear(entry);
  wheel.clear(entry);
  EXPECT_FALSE(wheel.armed(entry));
  loop.runFor(seconds(5));
  EXPECT_EQ(entry.fired, 0);
}

TEST_F(TimingWheelTest, TheLoopHasATimerOnlyWhileAnEntryIsArmed) {
  EXPECT_EQ(loop.timerCount(), 0U);
  {
    Timeout one;
    Timeout two;
    wheel.set(one, seconds(1));
    wheel.set(two, seconds(1));
    EXPECT_EQ(loop.timerCount(), 1U);
    wheel.clear(one);
    EXPECT_EQ(loop.timerCount(), 1U);
  }
  EXPECT_EQ(loop.timerCount(), 0U);
  Timeout three;
  wheel.set(three, seconds(1));
  loop.runFor(seconds(2));
  EXPECT_EQ(three.fired, 1);
  EXPECT_EQ(loop.timerCount(), 0U);
}

TEST_F(TimingWheelTest, AnIdleWheelWakesTheLoopForOccupiedSlotsOnly) {
  Timeout entry;
  wheel.set(entry, seconds(60));
  loop.runFor(seconds(59));
  EXPECT_EQ(loop.turns, 0);
  loop.runFor(seconds(2));
  EXPECT_EQ(loop.turns, 1);
}

TEST_F(TimingWheelTest, AWheelThatWasEmptyForLongIsStillOnTime) {
  Timeout entry;
  loop.runFor(hours(30));
  EXPECT_LE(lateness(entry, seconds(3)), kTwoTicks);
  EXPECT_EQ(loop.turns, 1);
  loop.runFor(hours(30));
  EXPECT_LE(lateness(entry, seconds(200)), kTwoTicks);
}

TEST_F(TimingWheelTest, ALaterEntryWithAShorterTimeoutFiresFirst) {
  Timeout slow;
  Timeout fast;
  wheel.set(slow, seconds(100));
  loop.runFor(seconds(1));
  EXPECT_LE(lateness(fast, seconds(1)), kTwoTicks);
  EXPECT_EQ(slow.fired, 0);
  loop.runFor(seconds(98) + kTwoTicks);
  EXPECT_EQ(slow.fired, 1);
}

TEST_F(TimingWheelTest, ACallbackArmsItsOwnEntryAgain) {
  std::optional<Timeout> entry;
  entry.emplace([&] { wheel.set(*entry, milliseconds(0)); });
  wheel.set(*entry, milliseconds(0));
  loop.runFor(seconds(2));
  EXPECT_GE(entry->fired, 7);
  EXPECT_LE(entry->fired, 9);
}

TEST_F(TimingWheelTest, ACallbackDestroysItsOwnEntryAndItsNeighbours) {
  std::vector<std::unique_ptr<Timeout>> entries;
  int fired = 0;
  for (int i = 0; i < 5; ++i) {
    entries.push_back(std::make_unique<Timeout>([&] {
      ++fired;
      entries.clear();
    }));
    wheel.set(*entries.back(), seconds(1));
  }
  loop.runFor(seconds(2));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(loop.timerCount(), 0U);
}

TEST_F(TimingWheelTest, ACallbackClearsAndRefreshesEntriesOfTheSameSlot) {
  Timeout cleared;
  Timeout refreshed;
  Timeout first([&] {
    wheel.clear(cleared);
    wheel.set(refreshed, seconds(5));
  });
  for (Timeout* entry : {&first, &cleared, &refreshed}) {
    wheel.set(*entry, seconds(1));
  }
  loop.runFor(seconds(2));
  EXPECT_EQ(first.fired, 1);
  EXPECT_EQ(cleared.fired, 0);
  EXPECT_EQ(refreshed.fired, 0);
  EXPECT_TRUE(wheel.armed(refreshed));
  loop.runFor(seconds(5));
  EXPECT_EQ(refreshed.fired, 1);
}

TEST_F(TimingWheelTest, AfterAnExceptionTheOthersAreToldInTheNextTurn) {
  Timeout bad([] { throw std::runtime_error("onTimeout"); });
  Timeout good;
  wheel.set(bad, seconds(1));
  wheel.set(good, seconds(1));
  EXPECT_THROW(loop.runFor(seconds(2)), std::runtime_error);
  EXPECT_EQ(good.fired, 0);
  loop.runFor(milliseconds(0));
  EXPECT_EQ(good.fired, 1);
  EXPECT_EQ(bad.fired, 1);
  EXPECT_EQ(loop.timerCount(), 0U);
}

TEST_F(TimingWheelTest, AfterAStallWhatIsReadInThatTurnStillCounts) {
  Timeout entry;
  Timeout silent;
  for (int stall = 1; stall <= 2; ++stall) {
    wheel.set(entry, seconds(1));
    wheel.set(silent, seconds(1));
    loop.stall(seconds(10));
    // A turn runs timers, then what is ready: the peer's bytes, say.
    loop.turn(loop.now());
    wheel.set(entry, seconds(1));
    loop.turn(loop.now());
    EXPECT_EQ(entry.fired, 0);
    EXPECT_EQ(silent.fired, stall);
  }
  loop.runFor(seconds(1) + kTwoTicks);
  EXPECT_EQ(entry.fired, 1);
}

TEST_F(TimingWheelTest, AWheelMayDieBeforeItsEntries) {
  std::optional<TimingWheel> mortal;
  mortal.emplace(loop);
  Timeout entry;
  Timeout other;
  mortal->set(entry, seconds(1));
  mortal->set(other, seconds(2));
  mortal.reset();
  EXPECT_EQ(loop.timerCount(), 0U);
  loop.runFor(seconds(5));
  EXPECT_EQ(entry.fired, 0);
}

TEST_F(TimingWheelTest, ThousandsOfEntriesAreAllInTime) {
  constexpr std::size_t kEntries = 5000;
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Timeout>> entries;
  std::vector<Clock::time_point> due(kEntries);
  int outOfTime = 0;
  for (std::size_t i = 0; i < kEntries; ++i) {
    entries.push_back(std::make_unique<Timeout>([&, i] {
      const auto late = loop.now() - due[i];
      if (late < Clock::duration::zero() || late > kTwoTicks) ++outOfTime;
    }));
  }
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < kEntries; ++i) {
      if (random() % 4 != 0) continue;
      const milliseconds timeout(random() % 200'000);
      due[i] = loop.now() + timeout;
      wheel.set(*entries[i], timeout);
    }
    loop.runFor(milliseconds(random() % 20'000));
  }
  loop.runFor(hours(1));
  EXPECT_EQ(outOfTime, 0);
  EXPECT_EQ(loop.timerCount(), 0U);
}

// The same over a real loop: the wheel's own timer, and no wake-up besides.
TEST(TimingWheelOverALoopTest, FiresInTimeAndDoesNotWakeTheLoopBefore) {
  waitUntilUndisturbed();
  const auto loop = makeEventLoop("epoll");
  TimingWheel wheel(*loop);
  Pulse pulse;
  loop->setPulse(pulse);
  Clock::time_point firedAt;
  Timeout entry([&] { firedAt = Clock::now(); });
  const auto start = Clock::now();
  wheel.set(entry, milliseconds(600));
  loop->loop();  // Returns: once the entry has fired nothing is left.
  EXPECT_EQ(entry.fired, 1);
  EXPECT_GE(firedAt, start + milliseconds(600));
  EXPECT_LE(pulse.turns, 2U);
}

}  // namespace
}  // namespace brigade::test
