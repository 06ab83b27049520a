// Descriptors, over every event loop there is here.

#include <algorithm>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

TEST_P(EventLoopTest, AReadableDescriptorCallsItsWatcher) {
  const SocketPair pair;
  On watcher([&](Ready) {
    pair.drain();
    loop->stop();
  });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->add(milliseconds(2), Repeat::kOnce, [&] { pair.feed(); });
  run();
  EXPECT_EQ(watcher.calls, 1);
  EXPECT_TRUE(watcher.last.read);
  EXPECT_FALSE(watcher.last.write);
}

TEST_P(EventLoopTest, ReadinessIsReportedAgainUntilItIsConsumed) {
  const SocketPair pair;
  On watcher([&](Ready) {
    if (watcher.calls == 3) {
      pair.drain();
      loop->add(milliseconds(5), Repeat::kOnce, [&] { loop->stop(); });
    }
  });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  run();
  EXPECT_EQ(watcher.calls, 3);
}

TEST_P(EventLoopTest, AWatcherLearnsWhichDirectionIsReady) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kReadWrite, watcher);
  run();
  EXPECT_FALSE(watcher.last.read);
  EXPECT_TRUE(watcher.last.write);
  pair.feed();
  run();
  EXPECT_TRUE(watcher.last.read);
  EXPECT_TRUE(watcher.last.write);
}

TEST_P(EventLoopTest, ASecondAddReplacesTheInterest) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  runTurns(3);
  EXPECT_EQ(watcher.calls, 0);
  loop->add(pair.near.get(), Interest::kWrite, watcher);
  run();
  EXPECT_EQ(watcher.calls, 1);
  EXPECT_TRUE(watcher.last.write);
  loop->add(pair.near.get(), Interest::kRead, watcher);
  runTurns(3);
  EXPECT_EQ(watcher.calls, 1);
}

TEST_P(EventLoopTest, ASecondAddReplacesTheWatcher) {
  const SocketPair pair;
  On before([](Ready) {});
  On after([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kRead, before);
  runTurns(2);
  loop->add(pair.near.get(), Interest::kRead, after);
  pair.feed();
  run();
  EXPECT_EQ(before.calls, 0);
  EXPECT_EQ(after.calls, 1);
}

TEST_P(EventLoopTest, AHangUpIsReportedAsEveryDirectionThatWasAskedFor) {
  SocketPair both;
  SocketPair reading;
  On reader([&](Ready) { loop->del(reading.near.get()); });
  On readerAndWriter([&](Ready) {
    loop->del(both.near.get());
    loop->defer([&] { loop->stop(); });
  });
  both.far.reset();
  reading.far.reset();
  loop->add(reading.near.get(), Interest::kRead, reader);
  loop->add(both.near.get(), Interest::kReadWrite, readerAndWriter);
  run();
  EXPECT_TRUE(reader.last.read);
  EXPECT_FALSE(reader.last.write);
  EXPECT_TRUE(readerAndWriter.last.read);
  EXPECT_TRUE(readerAndWriter.last.write);
}

TEST_P(EventLoopTest, AWriterIsToldWhenItsReaderIsGone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  FileDescriptor reader(ends[0]);
  const FileDescriptor writer(ends[1]);
  const std::string much(1 << 17, 'x');
  ASSERT_GT(::write(writer.get(), much.data(), much.size()), 0);
  On watcher([&](Ready) { loop->stop(); });
  loop->add(writer.get(), Interest::kWrite, watcher);
  runTurns(2);
  ASSERT_EQ(watcher.calls, 0);
  reader.reset();
  run();
  EXPECT_TRUE(watcher.last.write);
  EXPECT_FALSE(watcher.last.read);
}

TEST_P(EventLoopTest, AReaderIsToldWhenItsWriterIsGone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  const FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  On watcher([&](Ready) { loop->stop(); });
  loop->add(reader.get(), Interest::kRead, watcher);
  writer.reset();
  run();
  EXPECT_TRUE(watcher.last.read);
  EXPECT_FALSE(watcher.last.write);
}

TEST_P(EventLoopTest, DelFromItsOwnCallbackEndsTheCalls) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->del(pair.near.get()); });
  loop->add(pair.near.get(), Interest::kRead, watcher);
  pair.feed();
  runTurns(5);
  EXPECT_EQ(watcher.calls, 1);
}

TEST_P(EventLoopTest, DelOfAnotherDescriptorSilencesWhatThisTurnHasSeen) {
  const SocketPair one;
  const SocketPair two;
  On first([&](Ready) { loop->del(two.near.get()); });
  On second([&](Ready) { loop->del(one.near.get()); });
  loop->add(one.near.get(), Interest::kRead, first);
  loop->add(two.near.get(), Interest::kRead, second);
  one.feed();
  two.feed();
  runTurns(1);
  EXPECT_EQ(first.calls + second.calls, 1);
}

TEST_P(EventLoopTest, WhatIsNoLongerWantedIsNotToldOfWhatThisTurnHasSeen) {
  const SocketPair one;
  const SocketPair two;
  On* other[2] = {};
  std::vector<std::string> told;
  const auto watch = [&](const SocketPair& own, const SocketPair& theirs,
                         int index) {
    return [&, index, fd = theirs.near.get()](Ready ready) {
      told.push_back(std::string(ready.read ? "r" : "") +
                     (ready.write ? "w" : ""));
      loop->add(fd, Interest::kWrite, *other[1 - index]);
      if (told.size() == 2) {
        loop->del(own.near.get());
        loop->del(fd);
      }
    };
  };
  On first(watch(one, two, 0));
  On second(watch(two, one, 1));
  other[0] = &first;
  other[1] = &second;
  one.feed();
  two.feed();
  loop->add(one.near.get(), Interest::kReadWrite, first);
  loop->add(two.near.get(), Interest::kReadWrite, second);
  loop->loop();
  // Whichever came first, it took reading from the other.
  EXPECT_EQ(told, (std::vector<std::string>{"rw", "w"}));
}

TEST_P(EventLoopTest, AReplacedWatcherIsNotToldWhatThisTurnHasSeen) {
  const SocketPair one;
  const SocketPair two;
  On successor([](Ready) {});
  On first(
      [&](Ready) { loop->add(two.near.get(), Interest::kRead, successor); });
  On second(
      [&](Ready) { loop->add(one.near.get(), Interest::kRead, successor); });
  loop->add(one.near.get(), Interest::kRead, first);
  loop->add(two.near.get(), Interest::kRead, second);
  one.feed();
  two.feed();
  runTurns(1);
  EXPECT_EQ(first.calls + second.calls, 1);
  EXPECT_EQ(successor.calls, 0);
  runTurns(1);
  EXPECT_EQ(successor.calls, 1);
}

// Closes `from`, and lets its number name `to` at once.
void reuseNumber(FileDescriptor& from, const FileDescriptor& to) {
  const int number = from.get();
  from.reset();
  from.reset(::fcntl(to.get(), F_DUPFD_CLOEXEC, number));
  ASSERT_EQ(from.get(), number);
}

TEST_P(EventLoopTest, P33_ANumberReusedInItsOwnCallbackHasNoStaleReadiness) {
  SocketPair old;
  const SocketPair fresh;
  On successor([&](Ready) { loop->stop(); });
  On watcher([&](Ready) {
    loop->del(old.near.get());
    reuseNumber(old.near, fresh.near);
    loop->add(old.near.get(), Interest::kRead, successor);
  });
  loop->add(old.near.get(), Interest::kRead, watcher);
  old.feed();
  runTurns(5);
  EXPECT_EQ(watcher.calls, 1);
  EXPECT_EQ(successor.calls, 0);
  fresh.feed();
  run();
  EXPECT_EQ(successor.calls, 1);
}

TEST_P(EventLoopTest, P33_ANumberReusedInAnotherCallbackHasNoStaleReadiness) {
  SocketPair one;
  SocketPair two;
  const SocketPair fresh;
  On successor([&](Ready) { loop->stop(); });
  const auto replace = [&](SocketPair& own, SocketPair& other) {
    loop->del(own.near.get());
    loop->del(other.near.get());
    reuseNumber(other.near, fresh.near);
    loop->add(other.near.get(), Interest::kRead, successor);
  };
  On first([&](Ready) { replace(one, two); });
  On second([&](Ready) { replace(two, one); });
  loop->add(one.near.get(), Interest::kRead, first);
  loop->add(two.near.get(), Interest::kRead, second);
  one.feed();
  two.feed();
  runTurns(5);
  EXPECT_EQ(first.calls + second.calls, 1);
  EXPECT_EQ(successor.calls, 0);
  fresh.feed();
  run();
  EXPECT_EQ(successor.calls, 1);
}

TEST_P(EventLoopTest, ANumberReusedForAnotherDirectionIsWatchedForThat) {
  SocketPair old;
  const SocketPair fresh;
  On reader([](Ready) {});
  On writer([&](Ready) { loop->stop(); });
  loop->add(old.near.get(), Interest::kRead, reader);
  runTurns(2);
  loop->del(old.near.get());
  reuseNumber(old.near, fresh.near);
  loop->add(old.near.get(), Interest::kWrite, writer);
  run();
  EXPECT_EQ(reader.calls, 0);
  EXPECT_EQ(writer.calls, 1);
}

TEST_P(EventLoopTest, ADescriptorThatAnotherProcessHoldsWakesNobodyAfterDel) {
  SocketPair pair;
  const FileDescriptor heldElsewhere(::dup(pair.near.get()));
  On watcher([](Ready) {});
  loop->add(pair.near.get(), Interest::kRead, watcher);
  runTurns(2);
  loop->del(pair.near.get());
  pair.near.reset();
  pair.feed();
  waitUntilUndisturbed();
  Pulse pulse;
  loop->setPulse(pulse);
  loop->add(milliseconds(30), Repeat::kOnce, [&] { loop->stop(); });
  run();
  EXPECT_EQ(watcher.calls, 0);
  EXPECT_LE(pulse.turns, 5U);
}

TEST_P(EventLoopTest, AddFromInsideACallbackIsWatched) {
  const SocketPair outer;
  const SocketPair inner;
  On innerWatcher([&](Ready) { loop->stop(); });
  On outerWatcher([&](Ready) {
    outer.drain();
    loop->add(inner.near.get(), Interest::kRead, innerWatcher);
    inner.feed();
  });
  loop->add(outer.near.get(), Interest::kRead, outerWatcher);
  outer.feed();
  run();
  EXPECT_EQ(innerWatcher.calls, 1);
}

TEST_P(EventLoopTest, ManyDescriptorsAreEachCalledOnce) {
  constexpr std::size_t kPairs = 300;
  std::vector<SocketPair> pairs(kPairs);
  std::vector<std::unique_ptr<On>> watchers;
  std::size_t left = kPairs;
  for (const SocketPair& pair : pairs) {
    watchers.push_back(std::make_unique<On>([&](Ready) {
      pair.drain();
      if (--left == 0) loop->stop();
    }));
    loop->add(pair.near.get(), Interest::kRead, *watchers.back());
    pair.feed();
  }
  run();
  EXPECT_TRUE(std::all_of(watchers.begin(), watchers.end(),
                          [](const auto& on) { return on->calls == 1; }));
}

TEST_P(EventLoopTest, DelIgnoresDescriptorsItDoesNotKnow) {
  loop->del(-1);
  loop->del(100'000);
  const SocketPair pair;
  On watcher([](Ready) {});
  loop->add(pair.near.get(), Interest::kRead, watcher);
  loop->del(pair.near.get());
  loop->del(pair.near.get());
  loop->del(pair.far.get());
}

TEST_P(EventLoopTest, ADescriptorWithItsOwnerIsWatchedLikeItsNumber) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near, Interest::kRead, watcher);
  loop->add(pair.near.get(), Interest::kReadWrite, watcher);
  loop->add(pair.near, Interest::kRead, watcher);
  pair.feed();
  run();
  EXPECT_EQ(watcher.calls, 1);
  EXPECT_FALSE(watcher.last.write);
  loop->del(pair.near.get());
  EXPECT_THROW(loop->add(FileDescriptor(), Interest::kRead, watcher),
               std::system_error);
  loop->loop();  // Nothing is registered: returns.
}

TEST_P(EventLoopTest, AddRefusesADescriptorThatIsNotOpen) {
  On watcher([](Ready) {});
  for (const int fd : {-1, 987}) {
    try {
      loop->add(fd, Interest::kRead, watcher);
      FAIL() << fd;
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code().value(), EBADF);
      EXPECT_NE(std::string(error.what()).find(std::to_string(fd)),
                std::string::npos);
    }
  }
  loop->loop();  // Nothing was registered: returns.
}

TEST_P(EventLoopTest, AcceptInterestCannotBeChangedByASecondAdd) {
  const SocketPair pair;
  On one([](Ready) {});
  On two([](Ready) {});
  loop->add(pair.near.get(), Interest::kAccept, one);
  EXPECT_THROW(loop->add(pair.near.get(), Interest::kReadWrite, one),
               std::system_error);
  EXPECT_THROW(loop->add(pair.near.get(), Interest::kAccept, two),
               std::system_error);
  loop->del(pair.near.get());
  loop->add(pair.near.get(), Interest::kRead, two);
  EXPECT_THROW(loop->add(pair.near.get(), Interest::kAccept, two),
               std::system_error);
}

TEST_P(EventLoopTest, AcceptInterestReportsAConnection) {
  const SocketPair pair;
  On watcher([&](Ready) { loop->stop(); });
  loop->add(pair.near.get(), Interest::kAccept, watcher);
  pair.feed();
  run();
  EXPECT_TRUE(watcher.last.read);
  EXPECT_FALSE(watcher.last.write);
}

}  // namespace
}  // namespace brigade::test
