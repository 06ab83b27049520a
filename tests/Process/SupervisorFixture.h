#pragma once

// A supervisor whose children do what they are told, or are told not to.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "brigade/Process/SharedMemory.h"
#include "brigade/Process/Supervisor.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {

using Strings = std::vector<std::string>;

// What the children of a test are told through memory they share with it.
struct Orders {
  std::atomic<bool> hangAtStart{false};
  std::atomic<bool> failToStart{false};
  std::atomic<bool> dieAtStart{false};
  std::atomic<bool> ignoreOrders{false};
  std::atomic<int> lastAs{0};  // a child that was told to go exits with this
};

// A child that says ready and ends when it is told to.
class Obedient final : public ChannelHandler {
 public:
  Obedient(FileDescriptor channel, Orders& orders)
      : orders_(orders), channel_(*loop_, std::move(channel), *this) {}

  int run() {
    if (orders_.failToStart) {
      channel_.send({FrameKind::kFailed, "told to fail"});
      return 1;
    }
    if (orders_.dieAtStart) return 3;
    while (orders_.hangAtStart) ::pause();
    channel_.send({FrameKind::kReady});
    loop_->loop();
    return orders_.lastAs;
  }

 private:
  void onFrame(const Frame& frame) override {
    if (frame.kind == FrameKind::kFirstOfProgram && frame.payload == "retire") {
      channel_.send({FrameKind::kRetire});
    } else if (frame.kind == FrameKind::kFirstOfProgram &&
               frame.payload == "leave") {
      channel_.send({kLeaving, "a fault"});
    } else if (frame.kind == FrameKind::kFirstOfProgram &&
               frame.payload == "go") {
      loop_->stop();
    } else if (frame.kind == FrameKind::kFirstOfProgram) {
      channel_.send({frame.kind, frame.payload});
    } else if (!orders_.ignoreOrders) {
      loop_->stop();
    }
  }
  void onChannelClosed() override { loop_->stop(); }

  Orders& orders_;
  std::unique_ptr<EventInterface> loop_ = makeEventLoop("epoll");
  Channel channel_;
};

class SupervisorTest : public ::testing::Test, public SupervisorHandler {
 protected:
  void onReady(const SlotView& slot) override { note("ready", slot.index); }
  void onFailed(const SlotView& slot, std::string_view reason) override {
    note("failed", slot.index);
    lastReason = reason;
  }
  void onExit(const SlotView& slot, pid_t, ExitStatus status,
              bool expected) override {
    note(expected ? "ended" : "died", slot.index);
    lastStatus = status.toString();
  }
  void onFrame(const SlotView&, pid_t, Channel&, const Frame& frame) override {
    frames.emplace_back(frame.payload);
  }
  void onReloadStarted() override {
    if (whenReloadStarts) whenReloadStarts();
  }
  void onReloadEnded(bool, std::string_view) override {}
  void onReloadSkipped(const SlotView& slot) override {
    note("skipped", slot.index);
  }
  void inChild() override {}

  void start(unsigned count, bool reloadable = true) {
    ProcessGroup group;
    group.count = count;
    group.reloadable = reloadable;
    group.main = [this](const ChildPlace&, FileDescriptor channel) {
      return Obedient(std::move(channel), orders()).run();
    };
    supervisor.addGroup(std::move(group));
    supervisor.start();
  }
  void startToRunOnce() {
    ProcessGroup group;
    group.restart = RestartPolicy::kOnce;
    group.reloadable = false;
    group.main = [this](const ChildPlace&, FileDescriptor channel) {
      return Obedient(std::move(channel), orders()).run();
    };
    supervisor.addGroup(std::move(group));
    supervisor.start();
    ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  }
  void startReady(unsigned count, bool reloadable = true) {
    start(count, reloadable);
    ASSERT_TRUE(until([&] { return countOf("ready") == count; }));
    events.clear();
  }
  void TearDown() override { stopAll(Grace::kFast); }
  void stopAll(Grace grace) {
    if (supervisor.stopping()) return;
    bool stopped = false;
    supervisor.stop(grace, [&](bool, std::string_view) { stopped = true; });
    EXPECT_TRUE(until([&] { return stopped; }));
    EXPECT_EQ(supervisor.childCount(), 0u);
  }
  void tell(unsigned index, const char* what) {
    supervisor.send(index, {FrameKind::kFirstOfProgram, what});
  }
  SlotState stateOf(unsigned index) {
    for (const SlotView& slot : supervisor.slots()) {
      if (slot.index == index) return slot.state;
    }
    return SlotState::kRemoved;
  }
  bool until(const std::function<bool()>& condition) {
    return runUntil(*loop, condition);
  }
  std::size_t countOf(const std::string& event) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(),
        [&](const auto& each) { return each.starts_with(event + " "); }));
  }
  void note(const std::string& event, unsigned index) {
    events.push_back(event + " " + std::to_string(index));
  }
  Orders& orders() { return shared[0]; }
  pid_t pidOf(unsigned index) { return supervisor.slots()[index - 1].pid; }

  SharedArray<Orders> shared{1};
  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  std::vector<std::string> events;
  std::vector<std::string> frames;
  std::string lastReason;
  std::function<void()> whenReloadStarts;
  std::string lastStatus;
  Supervisor supervisor{*loop,
                        *this,
                        {.stopTimeout = std::chrono::milliseconds(500),
                         .readyTimeout = std::chrono::seconds(10)}};
};

}  // namespace brigade::test
