#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/Process/SupervisorFixture.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;

class SupervisorSlotsTest : public SupervisorTest {
 protected:
  // What an order was answered: "ok", the reason why not, or nothing yet.
  using Answer = std::shared_ptr<std::string>;
  using Order = void (Supervisor::*)(unsigned, Supervisor::Done);

  static Supervisor::Done into(const Answer& answer) {
    return [answer](bool ok, std::string_view reason) {
      *answer = std::string(ok ? std::string_view("ok") : reason);
    };
  }
  Answer order(Order what, unsigned index) {
    auto answer = std::make_shared<std::string>();
    (supervisor.*what)(index, into(answer));
    return answer;
  }
  Answer stopSlot(unsigned index) {
    return order(&Supervisor::stopSlot, index);
  }
  Answer startSlot(unsigned index) {
    return order(&Supervisor::startSlot, index);
  }
  Answer restartSlot(unsigned index) {
    return order(&Supervisor::restartSlot, index);
  }
  Answer reload() {
    auto answer = std::make_shared<std::string>();
    supervisor.reload(Grace::kFast, into(answer));
    return answer;
  }
  std::string told(const Answer& answer) {
    until([&] { return !answer->empty(); });
    return *answer;
  }
  ProcessGroup groupOf(unsigned count) {
    ProcessGroup group;
    group.count = count;
    group.main = [this](const ChildPlace&, FileDescriptor channel) {
      return Obedient(std::move(channel), orders()).run();
    };
    return group;
  }
  // "1 2 5"
  std::string indexes() {
    std::string all;
    for (const SlotView& slot : supervisor.slots()) {
      if (!all.empty()) all += ' ';
      all += std::to_string(slot.index);
    }
    return all;
  }
};

// ---- Orders

TEST_F(SupervisorSlotsTest, P41_AStoppedSlotStaysEmptyUntilItIsStarted) {
  startReady(2);
  const pid_t other = pidOf(2);
  EXPECT_EQ(told(stopSlot(1)), "ok");
  EXPECT_EQ(stateOf(1), SlotState::kStopped);
  EXPECT_EQ(events, Strings{"ended 1"});
  EXPECT_EQ(pidOf(2), other);
  EXPECT_EQ(told(reload()), "ok");
  EXPECT_EQ(stateOf(1), SlotState::kStopped) << "not by a reload";
  EXPECT_EQ(told(startSlot(1)), "ok");
  EXPECT_EQ(stateOf(1), SlotState::kReady);
  EXPECT_EQ(supervisor.slots()[0].restarts, 0u);
}

TEST_F(SupervisorSlotsTest, P41_WhatMakesNoSenseIsRefused) {
  startReady(1);
  EXPECT_EQ(told(stopSlot(2)), "there is no worker 2");
  EXPECT_EQ(told(startSlot(0)), "there is no worker 0");
  EXPECT_EQ(told(startSlot(1)), "worker 1 runs already");
  EXPECT_EQ(told(stopSlot(1)), "ok");
  EXPECT_EQ(told(stopSlot(1)), "worker 1 is stopped");
  orders().hangAtStart = true;
  const Answer slow = startSlot(1);
  EXPECT_EQ(told(startSlot(1)), "worker 1 runs already");
  stopAll(Grace::kFast);
  EXPECT_EQ(told(slow), "the program is stopping");
  EXPECT_EQ(told(stopSlot(1)), "the program is stopping");
}

TEST_F(SupervisorSlotsTest, P41_AStoppedSlotWaitsForNoSuccessor) {
  startReady(1);
  orders().dieAtStart = true;
  ::kill(pidOf(1), SIGKILL);
  ASSERT_TRUE(until([&] { return countOf("died") == 3; }));
  EXPECT_EQ(told(stopSlot(1)), "ok");
  EXPECT_EQ(stateOf(1), SlotState::kStopped);
  EXPECT_EQ(told(startSlot(1)), "exit 3");
  orders().dieAtStart = false;
  ASSERT_TRUE(until([&] { return stateOf(1) == SlotState::kReady; }));
}

TEST_F(SupervisorSlotsTest, P41_OneThatIsStartedWhileItDrainsIsFollowed) {
  startReady(1);
  orders().ignoreOrders = true;
  const pid_t before = pidOf(1);
  const Answer stop = stopSlot(1);
  const Answer start = startSlot(1);
  EXPECT_EQ(told(stop), "it was started again meanwhile");
  EXPECT_EQ(told(start), "ok");
  EXPECT_NE(pidOf(1), before);
  orders().ignoreOrders = false;
}

TEST_F(SupervisorSlotsTest, P42_ARestartedSlotHasItsSuccessorFirst) {
  startReady(2);
  const pid_t before = pidOf(1);
  const pid_t other = pidOf(2);
  EXPECT_EQ(told(restartSlot(1)), "ok");
  EXPECT_NE(pidOf(1), before);
  ASSERT_TRUE(until([&] { return countOf("ended") == 1; }));
  EXPECT_EQ(events, (Strings{"ready 1", "ended 1"}));
  EXPECT_EQ(pidOf(2), other);
  EXPECT_EQ(told(stopSlot(2)), "ok");
  EXPECT_EQ(told(restartSlot(2)), "ok") << "an empty one is started";
}

TEST_F(SupervisorSlotsTest, P42_ARestartThatFailsLeavesTheOldOneAsItIs) {
  startReady(1);
  const pid_t before = pidOf(1);
  orders().failToStart = true;
  EXPECT_EQ(told(restartSlot(1)), "told to fail");
  EXPECT_EQ(pidOf(1), before);
  // And is not tried again: the next generation is the reload's.
  orders().failToStart = false;
  EXPECT_EQ(told(reload()), "ok");
  EXPECT_EQ(supervisor.slots()[0].generation, 2u);
}

TEST_F(SupervisorSlotsTest, P42_ASlotThatIsBeingReplacedTakesNoOrder) {
  startReady(2);
  const Answer first = reload();
  EXPECT_EQ(told(restartSlot(1)), "worker 1 is being replaced");
  EXPECT_EQ(told(stopSlot(1)), "worker 1 is being replaced");
  EXPECT_EQ(told(restartSlot(2)), "ok") << "its turn has not come";
  EXPECT_EQ(told(first), "ok");
}

// ---- Deaths

TEST_F(SupervisorSlotsTest, X01_ASlotThatGivesUpIsFailedUntilItIsStarted) {
  SupervisorHandler& handler = *this;
  Supervisor own(*loop, handler,
                 {.backoff = {.first = milliseconds(1), .giveUpAfter = 3}});
  own.addGroup(groupOf(1));
  orders().dieAtStart = true;
  own.start();
  ASSERT_TRUE(
      until([&] { return own.slots()[0].state == SlotState::kFailed; }));
  EXPECT_EQ(countOf("died"), 3u);
  EXPECT_EQ(own.slots()[0].lastExit, "failed to start (exit 3)");
  orders().dieAtStart = false;
  const auto answer = std::make_shared<std::string>();
  own.startSlot(1, into(answer));
  EXPECT_EQ(told(answer), "ok");
  bool stopped = false;
  own.stop(Grace::kFast, [&](bool, std::string_view) { stopped = true; });
  EXPECT_TRUE(until([&] { return stopped; }));
}

TEST_F(SupervisorSlotsTest, P10_ASlotThatFindsNoForkDoesNotGiveUp) {
  SupervisorHandler& handler = *this;
  Supervisor own(*loop, handler,
                 {.backoff = {.first = milliseconds(1),
                              .longest = milliseconds(20),
                              .giveUpAfter = 2}});
  own.addGroup(groupOf(1));
  own.start();
  const auto state = [&] { return own.slots()[0].state; };
  ASSERT_TRUE(until([&] { return state() == SlotState::kReady; }));
  {
    // Beside another thread nothing is forked.
    std::atomic<bool> end{false};
    std::thread other([&] {
      while (!end) std::this_thread::yield();
    });
    ::kill(own.slots()[0].pid, SIGKILL);
    EXPECT_TRUE(until([&] { return countOf("failed") >= 4; }));
    EXPECT_EQ(state(), SlotState::kBackoff);
    EXPECT_EQ(own.slots()[0].lastExit, "killed by SIGKILL");
    EXPECT_EQ(own.slots()[0].forkFailure, lastReason);
    EXPECT_EQ(lastReason,
              "cannot fork worker 1: this process has more than one thread");
    EXPECT_EQ(own.slots()[0].restarts, 0u);
    end = true;
    other.join();
  }
  EXPECT_TRUE(until([&] { return state() == SlotState::kReady; }));
  EXPECT_EQ(own.slots()[0].restarts, 1u);
  bool stopped = false;
  own.stop(Grace::kFast, [&](bool, std::string_view) { stopped = true; });
  EXPECT_TRUE(until([&] { return stopped; }));
}

TEST_F(SupervisorSlotsTest, X01_AReloadFillsASlotThatGaveUp) {
  SupervisorHandler& handler = *this;
  Supervisor own(*loop, handler, {.backoff = {.giveUpAfter = 1}});
  own.addGroup(groupOf(1));
  orders().dieAtStart = true;
  own.start();
  ASSERT_TRUE(
      until([&] { return own.slots()[0].state == SlotState::kFailed; }));
  orders().dieAtStart = false;
  const auto answer = std::make_shared<std::string>();
  own.reload(Grace::kFast, into(answer));
  EXPECT_EQ(told(answer), "ok");
  EXPECT_EQ(own.slots()[0].state, SlotState::kReady);
  bool stopped = false;
  own.stop(Grace::kFast, [&](bool, std::string_view) { stopped = true; });
  EXPECT_TRUE(until([&] { return stopped; }));
}

TEST_F(SupervisorSlotsTest, X04_AHungChildIsKilledAndFollowed) {
  startReady(1);
  const pid_t before = pidOf(1);
  supervisor.killHung(1, milliseconds(5000));
  supervisor.killHung(7, milliseconds(1));  // nobody
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  EXPECT_EQ(lastStatus, "hung for 5000 ms (killed by SIGKILL)");
  EXPECT_EQ(events, (Strings{"died 1", "ready 1"}));
  EXPECT_NE(pidOf(1), before);
}

// ---- A child that drains by itself

TEST_F(SupervisorSlotsTest, T04_AChildThatLeavesIsFollowedWhileItDrains) {
  startReady(2);
  orders().ignoreOrders = true;  // so it stays until the deadline
  const pid_t before = pidOf(1);
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  EXPECT_NE(pidOf(1), before);
  EXPECT_EQ(supervisor.childCount(), 3u);
  EXPECT_EQ(supervisor.slots()[0].restarts, 1u);
  ASSERT_TRUE(until([&] { return countOf("ended") == 1; }));
  EXPECT_EQ(lastStatus, "not ended within 500 ms (killed by SIGKILL)");
  orders().ignoreOrders = false;
}

TEST_F(SupervisorSlotsTest, T04_SuccessorsThatFailAreHeldBackNotTheLeaver) {
  startReady(1);
  orders().failToStart = true;
  orders().ignoreOrders = true;
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("failed") == 2; }));
  ASSERT_TRUE(until([&] { return stateOf(1) == SlotState::kBackoff; }));
  ASSERT_TRUE(until([&] { return countOf("ended") == 1; }));
  orders().ignoreOrders = false;
  orders().failToStart = false;
  ASSERT_TRUE(until([&] { return stateOf(1) == SlotState::kReady; }));
}

TEST_F(SupervisorSlotsTest, T04_ASecondOneThatLeavesWaitsForTheFirst) {
  startReady(1);
  orders().ignoreOrders = true;
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return stateOf(1) == SlotState::kDraining; }));
  EXPECT_EQ(supervisor.childCount(), 2u);
  ASSERT_TRUE(until([&] { return countOf("ready") == 2; }));
  EXPECT_GE(countOf("ended"), 1u);
  ASSERT_TRUE(until([&] { return countOf("ended") == 2; }));
  orders().ignoreOrders = false;
}

TEST_F(SupervisorSlotsTest, T04_AReloadWaitsForTheEndOfOneThatLeaves) {
  startReady(1);
  orders().ignoreOrders = true;
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  const Answer answer = reload();
  orders().ignoreOrders = false;
  EXPECT_EQ(told(answer), "ok");
  EXPECT_EQ(supervisor.slots()[0].generation, 3u);
  EXPECT_EQ(supervisor.childCount(), 1u);
}

TEST_F(SupervisorSlotsTest, T04_OneThatLeavesWhileItIsReplacedIsFollowedOnce) {
  startReady(1);
  orders().ignoreOrders = true;
  orders().hangAtStart = true;
  const Answer answer = reload();
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("ended") == 1; }));
  EXPECT_EQ(supervisor.childCount(), 1u);
  EXPECT_EQ(*answer, "") << "the reload goes on";
  orders().ignoreOrders = false;
}

TEST_F(SupervisorSlotsTest, T21_SeatsDifferWhileChildrenOverlap) {
  startReady(1);
  const unsigned first = supervisor.slots()[0].seat;
  orders().ignoreOrders = true;
  tell(1, "leave");
  ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  EXPECT_NE(supervisor.slots()[0].seat, first);
  EXPECT_LT(supervisor.slots()[0].seat, kSeats);
  orders().ignoreOrders = false;
}

// ---- More slots, and fewer

TEST_F(SupervisorSlotsTest, P20_AReloadMayAddAndRemoveSlots) {
  const unsigned second = supervisor.addGroup(groupOf(1));
  start(2);  // at 2 and 3
  ASSERT_TRUE(until([&] { return countOf("ready") == 3; }));
  EXPECT_EQ(indexes(), "1 2 3");
  whenReloadStarts = [&] { supervisor.resize(second, 2); };
  EXPECT_EQ(told(reload()), "ok");
  EXPECT_EQ(indexes(), "1 2 3 4");
  EXPECT_EQ(stateOf(4), SlotState::kReady);
  whenReloadStarts = [&] { supervisor.resize(1, 1); };
  EXPECT_EQ(told(reload()), "ok");
  ASSERT_TRUE(until([&] { return stateOf(3) == SlotState::kRemoved; }));
  EXPECT_EQ(told(startSlot(3)), "there is no worker 3");
  supervisor.forget(1);
  EXPECT_EQ(indexes(), "1 2 4") << "the others keep theirs";
  EXPECT_EQ(supervisor.send(3, {FrameKind::kFirstOfProgram, "x"}),
            Channel::Result::kGone);
  whenReloadStarts = [&] { supervisor.resize(1, 3); };
  EXPECT_EQ(told(reload()), "ok");
  EXPECT_EQ(indexes(), "1 2 3 4 5") << "the lowest that are free";
  EXPECT_EQ(supervisor.childCount(), 5u);
}

TEST_F(SupervisorSlotsTest, P20_OneThatIsWantedAgainBeforeItIsForgottenStays) {
  startReady(2);
  whenReloadStarts = [&] { supervisor.resize(0, 1); };
  EXPECT_EQ(told(reload()), "ok");
  whenReloadStarts = [&] { supervisor.resize(0, 2); };
  EXPECT_EQ(told(reload()), "ok");
  supervisor.forget(0);
  EXPECT_EQ(indexes(), "1 2");
  EXPECT_EQ(stateOf(2), SlotState::kReady);
}

}  // namespace
}  // namespace brigade::test
