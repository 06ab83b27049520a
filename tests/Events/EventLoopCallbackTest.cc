// Signals, deferred callbacks and exceptions, over every event loop there is
// here.

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

class EventLoopCallbackTest : public EventLoopTest {};

bool isBlocked(int signal) {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

void killOwnProcess(int signal) { EXPECT_EQ(::kill(::getpid(), signal), 0); }

TEST_P(EventLoopCallbackTest, ASignalRunsItsCallbackInTheLoop) {
  int calls = 0;
  loop->add(Signal{SIGUSR1}, [&] {
    ++calls;
    loop->stop();
  });
  killOwnProcess(SIGUSR1);
  EXPECT_EQ(calls, 0);
  run();
  EXPECT_EQ(calls, 1);
  loop->add(milliseconds(2), Repeat::kOnce, [] { killOwnProcess(SIGUSR1); });
  run();
  EXPECT_EQ(calls, 2);
}

TEST_P(EventLoopCallbackTest, SeveralSignalsEachRunTheirOwnCallback) {
  std::vector<int> calls;
  const auto note = [&](int number) {
    calls.push_back(number);
    if (calls.size() == 3) loop->stop();
  };
  for (const int number : {SIGUSR1, SIGUSR2, SIGCHLD}) {
    loop->add(Signal{number}, [note, number] { note(number); });
    killOwnProcess(number);
  }
  run();
  std::sort(calls.begin(), calls.end());
  EXPECT_EQ(calls, (std::vector<int>{SIGUSR1, SIGUSR2, SIGCHLD}));
}

TEST_P(EventLoopCallbackTest, ASecondAddOfASignalReplacesTheCallback) {
  int before = 0;
  int after = 0;
  loop->add(Signal{SIGUSR1}, [&] { ++before; });
  loop->add(Signal{SIGUSR1}, [&] {
    ++after;
    loop->stop();
  });
  killOwnProcess(SIGUSR1);
  run();
  EXPECT_EQ(before, 0);
  EXPECT_EQ(after, 1);
}

TEST_P(EventLoopCallbackTest, ASignalIsBlockedUntilDel) {
  ASSERT_FALSE(isBlocked(SIGUSR1));
  loop->add(Signal{SIGUSR1}, [] {});
  loop->add(Signal{SIGUSR2}, [] {});
  EXPECT_TRUE(isBlocked(SIGUSR1));
  loop->del(Signal{SIGUSR1});
  EXPECT_FALSE(isBlocked(SIGUSR1));
  EXPECT_TRUE(isBlocked(SIGUSR2));
  loop->del(Signal{SIGUSR1});
  loop.reset();
  EXPECT_FALSE(isBlocked(SIGUSR2));
}

TEST_P(EventLoopCallbackTest, ASignalCallbackDeletesItselfAndAnother) {
  int calls = 0;
  const auto callback = [&] {
    ++calls;
    loop->del(Signal{SIGUSR1});
    loop->del(Signal{SIGUSR2});
    loop->defer([&] { loop->stop(); });
  };
  loop->add(Signal{SIGUSR1}, callback);
  loop->add(Signal{SIGUSR2}, callback);
  killOwnProcess(SIGUSR1);
  killOwnProcess(SIGUSR2);
  run();
  EXPECT_EQ(calls, 1);
}

TEST_P(EventLoopCallbackTest, ASignalIsWatchedAgainAfterTheLastWasDeleted) {
  loop->add(Signal{SIGUSR1}, [] {});
  loop->del(Signal{SIGUSR1});
  int calls = 0;
  loop->add(Signal{SIGUSR2}, [&] {
    ++calls;
    loop->stop();
  });
  killOwnProcess(SIGUSR2);
  run();
  EXPECT_EQ(calls, 1);
}

TEST_P(EventLoopCallbackTest, WhatCannotBeBlockedIsRefused) {
  for (const int number : {SIGKILL, SIGSTOP, 0, -1, 1000}) {
    EXPECT_THROW(loop->add(Signal{number}, [] {}), std::system_error) << number;
  }
  loop->loop();  // Nothing was registered: returns.
}

TEST_P(EventLoopCallbackTest, DeferredCallbacksRunAtTheEndOfTheTurnInOrder) {
  const SocketPair pair;
  std::vector<std::string> order;
  On watcher([&](Ready) {
    pair.drain();
    loop->defer([&] { order.emplace_back("first"); });
    loop->defer([&] {
      order.emplace_back("second");
      loop->stop();
    });
    order.emplace_back("ready");
  });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  run();
  EXPECT_EQ(order, (std::vector<std::string>{"ready", "first", "second"}));
}

TEST_P(EventLoopCallbackTest, DeferFromADeferredCallbackRunsInTheNextTurn) {
  const SocketPair pair;
  std::vector<std::string> order;
  On watcher([&](Ready) {
    pair.drain();
    order.emplace_back("ready");
  });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->defer([&] {
    pair.feed();
    loop->defer([&] {
      order.emplace_back("deferred");
      loop->stop();
    });
  });
  run();
  EXPECT_EQ(order, (std::vector<std::string>{"ready", "deferred"}));
}

TEST_P(EventLoopCallbackTest, DeferringForEverDoesNotStarveDescriptors) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  int rounds = 0;
  std::function<void()> again = [&] {
    if (++rounds == 10) pair.feed();
    loop->defer(again);
  };
  again();
  run();
  EXPECT_EQ(watcher.calls, 1);
}

TEST_P(EventLoopCallbackTest, AnExceptionGoesToTheHandlerAndTheLoopGoesOn) {
  const SocketPair pair;
  std::vector<std::string> told;
  loop->setExceptionHandler([&](std::exception_ptr exception) {
    try {
      std::rethrow_exception(std::move(exception));
    } catch (const std::runtime_error& error) {
      told.emplace_back(error.what());
    }
  });
  On watcher([&](Ready) {
    pair.drain();
    throw std::runtime_error("descriptor");
  });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  loop->add(Signal{SIGUSR1}, [] { throw std::runtime_error("signal"); });
  killOwnProcess(SIGUSR1);
  loop->defer([] { throw std::runtime_error("deferred"); });
  loop->add(milliseconds(5), Repeat::kOnce,
            [] { throw std::runtime_error("timer"); });
  loop->add(milliseconds(10), Repeat::kOnce, [&] { loop->stop(); });
  run();
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (std::vector<std::string>{"deferred", "descriptor", "signal",
                                            "timer"}));
}

TEST_P(EventLoopCallbackTest, AnExceptionDoesNotCancelWhatComesAfterIt) {
  int deferredRan = 0;
  int timerRan = 0;
  int exceptions = 0;
  loop->setExceptionHandler([&](std::exception_ptr) {
    // The deferred one, and more than one tick.
    if (++exceptions == 3) loop->stop();
  });
  loop->add(milliseconds(1), Repeat::kEvery,
            [] { throw std::runtime_error("tick"); });
  loop->add(milliseconds(2), Repeat::kOnce, [&] { ++timerRan; });
  loop->defer([] { throw std::runtime_error("deferred"); });
  loop->defer([&] { ++deferredRan; });
  // The first tick and the timer behind it are due in one turn.
  loop->defer([] { spinUntil(Clock::now() + milliseconds(4)); });
  run();
  EXPECT_EQ(exceptions, 3);
  EXPECT_EQ(deferredRan, 1);
  EXPECT_EQ(timerRan, 1);
}

TEST_P(EventLoopCallbackTest, AHandlerMayReplaceItself) {
  int first = 0;
  int second = 0;
  loop->setExceptionHandler([&](std::exception_ptr) {
    loop->setExceptionHandler([&](std::exception_ptr) { ++second; });
    ++first;  // What the running handler holds is still there.
  });
  for (int i = 0; i < 3; ++i) {
    loop->defer([] { throw std::runtime_error("again"); });
  }
  loop->loop();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST_P(EventLoopCallbackTest, WithoutAHandlerAnExceptionEndsTheProcess) {
  EXPECT_DEATH(
      {
        loop->defer([] { throw std::runtime_error("nobody listens"); });
        loop->loop();
      },
      "nobody listens");
}

TEST_P(EventLoopCallbackTest, CallbacksThatDieWithTheLoopMayStillUseIt) {
  struct Owner {
    EventInterface& loop;
    SocketPair pair;
    On watcher{nullptr};
    explicit Owner(EventInterface& owned) : loop(owned) {
      loop.add(pair.near.get(), Interest::kRead, watcher);
    }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() {
      loop.del(pair.near.get());
      loop.defer([] {});
    }
  };
  const auto keep = [&] { return [owner = std::make_shared<Owner>(*loop)] {}; };
  loop->defer(keep());
  loop->add(milliseconds(1), Repeat::kEvery, keep());
  loop->add(Signal{SIGUSR1}, keep());
  loop.reset();
}

INSTANTIATE_TEST_SUITE_P(, EventLoopCallbackTest,
                         testing::ValuesIn(eventLoopNames()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace brigade::test
