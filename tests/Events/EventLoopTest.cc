// The turn itself, over every event loop there is here.

#include <algorithm>
#include <csignal>
#include <cstdint>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

TEST_P(EventLoopTest, TellsItsName) { EXPECT_EQ(loop->name(), GetParam()); }

TEST_P(EventLoopTest, LoopReturnsWhenNothingIsRegistered) {
  loop->loop();
  const SocketPair pair;
  On watcher([&](Ready) { loop->del(pair.near.get()); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  loop->loop();
  EXPECT_EQ(watcher.calls, 1);
  int ran = 0;
  loop->add(milliseconds(1), Repeat::kOnce, [&] { ++ran; });
  loop->add(Signal{SIGUSR1}, [&] {
    ++ran;
    loop->del(Signal{SIGUSR1});
  });
  ::raise(SIGUSR1);
  loop->loop();
  EXPECT_EQ(ran, 2);
}

TEST_P(EventLoopTest, StopTakesEffectAtTheEndOfTheTurn) {
  const SocketPair one;
  const SocketPair two;
  On first([&](Ready) { loop->stop(); });
  On second([&](Ready) { loop->stop(); });
  loop->add(one.near.get(), Interest::kRead, first);
  loop->add(two.near.get(), Interest::kRead, second);
  one.feed();
  two.feed();
  bool deferred = false;
  loop->defer([&] { deferred = true; });
  run();
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 1);
  EXPECT_TRUE(deferred);
}

TEST_P(EventLoopTest, ALoopRunsAgainAfterStop) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  run();
  run();
  EXPECT_EQ(watcher.calls, 2);
}

TEST_P(EventLoopTest, StopBeforeLoopIsNotLost) {
  const SocketPair pair;
  On watcher([](Ready) {});
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->stop();
  loop->loop();
}

TEST_P(EventLoopTest, NowStandsStillWithinATurn) {
  Clock::time_point first;
  Clock::time_point second;
  Clock::time_point nextTurn;
  loop->add(milliseconds(0), Repeat::kOnce, [&] {
    first = loop->now();
    spinUntil(Clock::now() + milliseconds(2));
    loop->defer([&] {
      second = loop->now();
      loop->defer([&] {
        nextTurn = loop->now();
        loop->stop();
      });
    });
  });
  run();
  EXPECT_EQ(first, second);
  EXPECT_GE(nextTurn, first + milliseconds(2));
}

TEST_P(EventLoopTest, AnIdleLoopDoesNotWakeUp) {
  const SocketPair pair;
  On watcher([](Ready) {});
  waitUntilUndisturbed();
  Pulse pulse;
  loop->setPulse(pulse);
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->add(Signal{SIGUSR1}, [] {});
  loop->add(milliseconds(300), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_GE(pulse.turns, 1U);
  EXPECT_LE(pulse.turns, 2U);
}

TEST_P(EventLoopTest, ThePulseTellsASleepingLoopFromABusyOne) {
  waitUntilUndisturbed();
  Pulse pulse;
  loop->setPulse(pulse);
  bool asleepInCallback = true;
  std::uint64_t turnsInCallback = 0;
  loop->add(milliseconds(1), Repeat::kOnce, [&] {
    asleepInCallback = pulse.sleeping;
    turnsInCallback = pulse.turns;
    loop->defer([&] { loop->stop(); });
  });
  EXPECT_FALSE(pulse.sleeping);
  run();
  EXPECT_FALSE(asleepInCallback);
  EXPECT_EQ(turnsInCallback, 1U);
}

TEST_P(EventLoopTest, AbandonedInAChildItGoesOnInTheParent) {
  const auto openDescriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  loop.reset();
  const SocketPair pair;
  const int before = openDescriptors();
  loop = makeEventLoop(GetParam());
  On watcher([&](Ready) {
    pair.drain();
    loop->stop();
  });
  int signals = 0;
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->add(Signal{SIGUSR1}, [&] { ++signals; });
  loop->add(milliseconds(1), Repeat::kOnce, [&] { pair.feed(); });
  run();

  const pid_t child = ::fork();
  if (child == 0) {
    loop->abandonInChild();
    ::_exit(openDescriptors() == before ? 0 : 1);
  }
  EXPECT_TRUE(succeeds(child));

  pair.feed();
  run();
  EXPECT_EQ(watcher.calls, 2);
  ::raise(SIGUSR1);
  loop->add(milliseconds(5), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_EQ(signals, 1);
}

TEST_P(EventLoopTest, AChildBuildsALoopOfItsOwnBesideAnAbandonedOne) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  const pid_t child = ::fork();
  if (child == 0) {
    loop->abandonInChild();
    const auto own = makeEventLoop(GetParam());
    On ownWatcher([&](Ready) { own->stop(); });
    own->add(pair.near.get(), Interest::kRead, ownWatcher);
    own->add(std::chrono::seconds(10), Repeat::kOnce, [&] { own->stop(); });
    own->loop();
    ::_exit(ownWatcher.calls == 1 ? 0 : 1);
  }
  pair.feed();
  EXPECT_TRUE(succeeds(child));
  run();
  EXPECT_EQ(watcher.calls, 1);
}

INSTANTIATE_TEST_SUITE_P(, EventLoopTest, testing::ValuesIn(eventLoopNames()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace brigade::test
