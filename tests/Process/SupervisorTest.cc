#include "brigade/Process/Supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/Process/SupervisorFixture.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

TEST_F(SupervisorTest, EveryChildIsReadyOnceAndEndsWhenTold) {
  startReady(3);
  stopAll(Grace::kGraceful);
  EXPECT_EQ(countOf("ended"), 3u);
}

TEST_F(SupervisorTest, AChildToRunOnceHasNoSuccessorWhenItEndsWell) {
  startToRunOnce();
  supervisor.send(1, {FrameKind::kFirstOfProgram, "go"});
  ASSERT_TRUE(until([&] { return countOf("died") == 1; }));
  EXPECT_EQ(supervisor.slots()[0].state, SlotState::kExited);
  EXPECT_EQ(supervisor.slots()[0].lastExit, "exit 0");
  EXPECT_EQ(supervisor.childCount(), 0u);
  bool ok = false;
  supervisor.reload(Grace::kFast, [&](bool done, auto) { ok = done; });
  EXPECT_TRUE(until([&] { return ok; }));
  EXPECT_EQ(supervisor.childCount(), 0u) << "a reload runs it not again";
}

TEST_F(SupervisorTest, AChildToRunOnceIsFollowedWhenItFails) {
  startToRunOnce();
  orders().lastAs = 3;
  supervisor.send(1, {FrameKind::kFirstOfProgram, "go"});
  ASSERT_TRUE(until([&] { return countOf("ready") == 2; }));
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(until([&] { return countOf("ready") == 3; }));
  EXPECT_EQ(supervisor.slots()[0].restarts, 2u);
}

TEST_F(SupervisorTest, AKilledChildIsFollowedByAnotherInItsPlace) {
  startReady(2);
  const pid_t before = pidOf(1);
  ::kill(before, SIGKILL);
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  EXPECT_EQ(events, (Strings{"died 1", "ready 1"}));
  EXPECT_EQ(lastStatus, "killed by SIGKILL");
  EXPECT_NE(pidOf(1), before);
  EXPECT_EQ(supervisor.slots()[0].restarts, 1u);
  EXPECT_EQ(supervisor.slots()[0].generation, 2u);
}

TEST_F(SupervisorTest, T16_AReloadReplacesOneSlotAfterTheOther) {
  startReady(2);
  bool done = false;
  supervisor.reload(Grace::kFast, [&](bool ok, std::string_view) {
    EXPECT_TRUE(ok);
    done = true;
  });
  unsigned most = 0;
  ASSERT_TRUE(until([&] {
    most = std::max(most, supervisor.childCount());
    return done;
  }));
  EXPECT_EQ(events, (Strings{"ready 1", "ended 1", "ready 2", "ended 2"}));
  EXPECT_LE(most, 3u);
}

TEST_F(SupervisorTest, AFailingSuccessorEndsTheReloadAndNothingElse) {
  startReady(2);
  const pid_t before = pidOf(1);
  orders().failToStart = true;
  std::string reason;
  supervisor.reload(Grace::kFast, [&](bool ok, std::string_view why) {
    EXPECT_FALSE(ok);
    reason = why;
  });
  ASSERT_TRUE(until([&] { return !reason.empty(); }));
  EXPECT_EQ(reason, "worker 1: told to fail");
  EXPECT_EQ(pidOf(1), before);
  EXPECT_EQ(supervisor.childCount(), 2u);
}

TEST_F(SupervisorTest, T16_ARequestDuringAReloadIsOneMoreRound) {
  startReady(1);
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    supervisor.reload(Grace::kFast, [&](bool, std::string_view) { ++done; });
  }
  ASSERT_TRUE(until([&] { return done == 3; }));
  EXPECT_EQ(countOf("ready"), 2u);
}

TEST_F(SupervisorTest, EachRequestIsToldTheResultOfItsOwnRound) {
  startReady(1);
  std::vector<std::string> results;
  const auto note = [&](const char* name) {
    return [&results, name](bool ok, std::string_view) {
      results.push_back(name + std::string(ok ? " ok" : " failed"));
    };
  };
  supervisor.reload(Grace::kFast, [&](bool ok, std::string_view) {
    results.push_back(ok ? "first ok" : "first failed");
    orders().failToStart = true;  // the next round will
  });
  supervisor.reload(Grace::kFast, note("second"));
  supervisor.reload(Grace::kFast, note("third"));
  ASSERT_TRUE(until([&] { return results.size() == 3; }));
  EXPECT_EQ(results, (Strings{"first ok", "second failed", "third failed"}));
}

TEST_F(SupervisorTest, AWishToRetireOutlivesAReloadThatFails) {
  startReady(2);
  const pid_t before = pidOf(2);
  orders().failToStart = true;
  bool failed = false;
  supervisor.reload(Grace::kFast,
                    [&](bool ok, std::string_view) { failed = !ok; });
  supervisor.send(2, {FrameKind::kFirstOfProgram, "retire"});
  ASSERT_TRUE(until([&] { return failed; }));
  orders().failToStart = false;
  ASSERT_TRUE(until([&] { return pidOf(2) != before; }));
  ASSERT_TRUE(until([&] { return supervisor.childCount() == 2; }));
  EXPECT_EQ(supervisor.slots()[1].restarts, 0u);
}

TEST_F(SupervisorTest, ASuccessorThatNeverBecomesReadyIsNamedAsThat) {
  SupervisorHandler& handler = *this;
  Supervisor hasty(*loop, handler,
                   {.readyTimeout = std::chrono::milliseconds(200)});
  ProcessGroup group;
  group.main = [this](const ChildPlace&, FileDescriptor channel) {
    return Obedient(std::move(channel), orders()).run();
  };
  hasty.addGroup(std::move(group));
  hasty.start();
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  orders().hangAtStart = true;
  std::string reason;
  hasty.reload(Grace::kFast, [&](bool, std::string_view why) { reason = why; });
  ASSERT_TRUE(until([&] { return !reason.empty(); }));
  EXPECT_EQ(reason, "worker 1: not ready within 200 ms");
  bool stopped = false;
  hasty.stop(Grace::kFast, [&](bool, std::string_view) { stopped = true; });
  EXPECT_TRUE(until([&] { return stopped; }));
}

TEST_F(SupervisorTest, AChildThatSomebodyElseReapedIsReplaced) {
  startReady(1);
  const pid_t before = pidOf(1);
  ::kill(before, SIGKILL);
  ASSERT_EQ(::waitpid(before, nullptr, 0), before);
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  EXPECT_EQ(lastStatus, "exit 255");
  EXPECT_NE(pidOf(1), before);
}

TEST_F(SupervisorTest, X10_AKillOfTheServingChildDuringItsReload) {
  startReady(1);
  bool done = false;
  supervisor.reload(Grace::kFast, [&](bool, std::string_view) { done = true; });
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(until([&] { return done && pidOf(1) != 0; }));
  ASSERT_TRUE(
      until([&] { return supervisor.slots()[0].state == SlotState::kReady; }));
  EXPECT_EQ(supervisor.childCount(), 1u);
}

TEST_F(SupervisorTest, AStopDuringAReloadEndsBothChildren) {
  startReady(2);
  bool ok = true;
  supervisor.reload(Grace::kFast,
                    [&](bool good, std::string_view) { ok = good; });
  stopAll(Grace::kFast);
  EXPECT_FALSE(ok);
}

TEST_F(SupervisorTest, AGroupThatIsNotReloadableIsToldOnly) {
  startReady(1, false);
  const pid_t before = pidOf(1);
  bool done = false;
  supervisor.reload(Grace::kFast, [&](bool, std::string_view) { done = true; });
  ASSERT_TRUE(until([&] { return done; }));
  EXPECT_EQ(events, Strings{"skipped 1"});
  EXPECT_EQ(pidOf(1), before);
}

TEST_F(SupervisorTest, X01_AChildThatDiesAtEveryStartWaitsLongerEachTime) {
  orders().dieAtStart = true;
  start(1);
  // At its death each waits for the whole of its delay: 0, 100, 200, 400 ms.
  std::vector<Clock::duration> waits;
  ASSERT_TRUE(until([&] {
    if (countOf("died") > waits.size()) {
      waits.push_back(supervisor.slots()[0].backoff);
    }
    return waits.size() == 4;
  }));
  for (std::size_t i = 2; i < waits.size(); ++i) {
    EXPECT_GT(waits[i], waits[i - 1] * 3 / 2) << i;
  }
  EXPECT_EQ(lastStatus, "failed to start (exit 3)");
}

TEST_F(SupervisorTest, AChildThatIgnoresItsOrdersIsKilledAtTheDeadline) {
  orders().ignoreOrders = true;
  startReady(1);
  ::kill(pidOf(1), SIGSTOP);
  stopAll(Grace::kGraceful);
  EXPECT_EQ(lastStatus, "not ended within 500 ms (killed by SIGKILL)");
}

TEST_F(SupervisorTest, AChildWhoseChannelIsFullIsToldAllTheSame) {
  Supervisor patient(*loop, *this, {.stopTimeout = std::chrono::minutes(1)});
  ProcessGroup group;
  group.main = [this](const ChildPlace&, FileDescriptor channel) {
    return Obedient(std::move(channel), orders()).run();
  };
  patient.addGroup(std::move(group));
  patient.start();
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  const pid_t pid = patient.slots()[0].pid;
  ::kill(pid, SIGSTOP);
  // To the last byte.
  std::string payload(Channel::kMaxPayload, 'x');
  for (bool more = true; more; payload.resize(payload.size() / 2)) {
    while (patient.send(1, {FrameKind::kFirstOfProgram, payload}) !=
           Channel::Result::kFull) {
    }
    more = !payload.empty();
  }
  bool stopped = false;
  patient.stop(Grace::kGraceful, [&](auto&&...) { stopped = true; });
  ::kill(pid, SIGCONT);
  EXPECT_TRUE(until([&] { return stopped; }));
  EXPECT_EQ(lastStatus, "exit 0");
}

TEST_F(SupervisorTest, FramesReachTheChildAndComeBack) {
  startReady(2);
  EXPECT_EQ(supervisor.send(2, {FrameKind::kFirstOfProgram, "ping"}),
            Channel::Result::kSent);
  ASSERT_TRUE(until([&] { return frames.size() == 1; }));
  EXPECT_EQ(frames[0], "ping");
  EXPECT_EQ(supervisor.send(3, {FrameKind::kFirstOfProgram}),
            Channel::Result::kGone);
}

TEST_F(SupervisorTest, AProgramWithThreadsDoesNotFork) {
  std::atomic<bool> end{false};
  std::thread other([&] {
    while (!end) std::this_thread::yield();
  });
  try {
    start(1);
    ADD_FAILURE() << "forked";
  } catch (const CannotFork& e) {
    EXPECT_STREQ(e.what(),
                 "cannot fork worker 1: this process has more than one thread");
  }
  end = true;
  other.join();
}

// ---- What must not be left behind

TEST_F(SupervisorTest, ASuccessorThatFailedLeavesItsGenerationToTheNext) {
  startReady(1);
  bool done = false;
  const auto reload = [&] {
    done = false;
    supervisor.reload(Grace::kFast,
                      [&](bool, std::string_view) { done = true; });
    return until([&] { return done; });
  };
  orders().failToStart = true;
  ASSERT_TRUE(reload());
  orders().failToStart = false;
  ASSERT_TRUE(reload());
  EXPECT_EQ(supervisor.slots()[0].generation, 2u);
}

TEST_F(SupervisorTest, EverybodyWhoAskedForTheStopIsTold) {
  startReady(1);
  int told = 0;
  supervisor.stop(Grace::kGraceful, [&](bool, std::string_view) { ++told; });
  supervisor.stop(Grace::kFast, [&](bool, std::string_view) { ++told; });
  EXPECT_TRUE(until([&] { return told == 2; }));
}

TEST_F(SupervisorTest, AStopWhenAReloadBeginsEndsBoth) {
  startReady(1);
  std::string reason;
  bool stopped = false;
  whenReloadStarts = [&] {
    supervisor.stop(Grace::kFast,
                    [&](bool, std::string_view) { stopped = true; });
  };
  supervisor.reload(Grace::kFast,
                    [&](bool, std::string_view why) { reason = why; });
  EXPECT_TRUE(until([&] { return stopped; }));
  EXPECT_EQ(reason, "the program is stopping");
}

// Refuses a descriptor, as epoll does past max_user_watches.
class RefusingLoop final : public EventInterface {
 public:
  explicit RefusingLoop(EventInterface& real) : real_(real) {}
  int taken = 0;  // so many descriptors, and no more

  void add(int fd, Interest interest, Watcher& watcher) override {
    if (taken-- <= 0) {
      throw std::system_error(ENOSPC, std::generic_category(), "epoll_ctl");
    }
    real_.add(fd, interest, watcher);
  }
  void del(int fd) override { real_.del(fd); }
  TimerId add(Clock::duration delay, Repeat repeat,
              Callback callback) override {
    return real_.add(delay, repeat, std::move(callback));
  }
  void del(TimerId timer) override { real_.del(timer); }
  void add(Signal signal, Callback callback) override {
    real_.add(signal, std::move(callback));
  }
  void del(Signal signal) override { real_.del(signal); }
  void defer(Callback callback) override { real_.defer(std::move(callback)); }
  void loop() override { real_.loop(); }
  void stop() override { real_.stop(); }
  Clock::time_point now() const override { return real_.now(); }
  std::size_t timerCount() const override { return real_.timerCount(); }
  std::string_view name() const override { return real_.name(); }
  void setExceptionHandler(ExceptionHandler handler) override {
    real_.setExceptionHandler(std::move(handler));
  }
  void setPulse(Pulse& pulse) override { real_.setPulse(pulse); }
  void abandonInChild() override { real_.abandonInChild(); }

 private:
  EventInterface& real_;
};

TEST_F(SupervisorTest, AChildThatCannotBeWatchedIsEndedAndReaped) {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    // What another test of this program has left.
  }
  // Its channel, then its pidfd.
  for (const int taken : {0, 1}) {
    RefusingLoop full(*loop);
    full.taken = taken;
    SupervisorHandler& handler = *this;
    Supervisor own(full, handler, {});
    ProcessGroup group;
    group.main = [](const ChildPlace&, const FileDescriptor&) {
      for (;;) ::pause();
      return 0;
    };
    own.addGroup(std::move(group));
    try {
      own.start();
      ADD_FAILURE() << "started";
    } catch (const CannotFork& e) {
      EXPECT_NE(std::string(e.what()).find("cannot watch worker 1"),
                std::string::npos)
          << e.what();
    }
    EXPECT_EQ(own.childCount(), 0u);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    EXPECT_EQ(errno, ECHILD);
  }
}

}  // namespace
}  // namespace brigade::test
