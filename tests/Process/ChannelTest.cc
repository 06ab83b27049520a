#include "brigade/Process/Channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

constexpr auto kTest = FrameKind::kFirstOfProgram;

struct Receiver final : ChannelHandler {
  void onFrame(const Frame& frame) override {
    payloads.emplace_back(frame.payload);
    correlations.push_back(frame.correlation);
    descriptors.emplace_back(frame.descriptor < 0 ? -1
                                                  : ::dup(frame.descriptor));
    if (destroy != nullptr) destroy->reset();
    if (throws) throw std::runtime_error("told to throw");
  }
  void onChannelClosed() override { closed = true; }
  void onChannelProgress() override { ++progress; }

  std::vector<std::string> payloads;
  std::vector<std::uint64_t> correlations;
  std::vector<FileDescriptor> descriptors;
  bool closed = false;
  int progress = 0;
  bool throws = false;
  std::optional<Channel>* destroy = nullptr;
};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    auto [a, b] = Channel::makePair();
    left.emplace(*loop, std::move(a), leftReceiver);
    right.emplace(*loop, std::move(b), rightReceiver);
  }
  bool until(const std::function<bool()>& condition) {
    return runUntil(*loop, condition);
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  Receiver leftReceiver, rightReceiver;
  std::optional<Channel> left, right;
};

TEST_F(ChannelTest, FramesOfEverySizeArriveWholeAndInOrder) {
  std::vector<std::string> sent;
  for (const std::size_t size : {0u, 1u, 1000u, 65535u, 65536u}) {
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
    left->send({kTest, sent.back(), size});
  }
  ASSERT_TRUE(until([&] { return rightReceiver.payloads.size() == 5; }));
  EXPECT_EQ(rightReceiver.payloads, sent);
  EXPECT_EQ(rightReceiver.correlations[4], 65536u);
  EXPECT_FALSE(rightReceiver.closed) << "an empty frame is not the end";
}

TEST_F(ChannelTest, ALargerFrameIsRefused) {
  const std::string payload(65537, 'x');
  EXPECT_THROW(left->send({kTest, payload}), std::length_error);
}

TEST_F(ChannelTest, ADescriptorTravelsWithItsFrame) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor in(ends[0]);
  FileDescriptor out(ends[1]);
  // The first goes at once, the last from the queue, when ours is closed.
  const std::string payload(1024, 'x');
  left->send({kTest, payload, 0, out.get()});
  std::size_t sent = 1;
  while (left->send({kTest, payload}) == Channel::Result::kSent) ++sent;
  ASSERT_EQ(left->send({kTest, "last", 0, out.get()}),
            Channel::Result::kQueued);
  out.reset();
  sent += 2;
  ASSERT_TRUE(until([&] { return rightReceiver.payloads.size() == sent; }));
  for (const std::size_t i : {std::size_t{0}, sent - 1}) {
    ASSERT_TRUE(rightReceiver.descriptors[i]) << i;
    ASSERT_EQ(::write(rightReceiver.descriptors[i].get(), "y", 1), 1);
  }
  EXPECT_FALSE(rightReceiver.descriptors[1]);
  rightReceiver.descriptors.clear();
  char bytes[4];
  EXPECT_EQ(::read(in.get(), bytes, sizeof bytes), 2);
  EXPECT_EQ(::read(in.get(), bytes, sizeof bytes), 0)
      << "a copy of the descriptor is still open";
}

TEST_F(ChannelTest, APeerThatDoesNotReadFillsABoundedQueueOnly) {
  const std::string payload(1024, 'x');
  Channel::Result result{};
  std::size_t taken = 0;
  while ((result = left->send({kTest, payload})) != Channel::Result::kFull) {
    ASSERT_NE(result, Channel::Result::kGone);
    ++taken;
  }
  EXPECT_LE(left->queuedBytes(), Channel::kMaxQueue);
  ASSERT_TRUE(until([&] { return rightReceiver.payloads.size() == taken; }));
  EXPECT_EQ(left->send({kTest, payload}), Channel::Result::kSent);
}

TEST_F(ChannelTest, X05_LastWordsAreHeardAlsoOfOneThatHasNotReadAll) {
  for (int i = 0; i < 100; ++i) left->send({kTest, std::to_string(i)});
  right->send({kTest, "unread"});
  left.reset();
  ASSERT_TRUE(until([&] { return rightReceiver.closed; }));
  EXPECT_EQ(rightReceiver.payloads.size(), 100u);
}

TEST_F(ChannelTest, WhatWaitedLeavesInFewDatagramsAndArrivesFrameByFrame) {
  std::vector<std::string> sent;
  for (int i = 0; i < 1000; ++i) {
    sent.push_back("frame " + std::to_string(i));
    EXPECT_EQ(left->post({kTest, sent.back()}), Channel::Result::kQueued);
  }
  EXPECT_EQ(left->taken(), 1000u);
  EXPECT_EQ(left->left(), 0u);
  left->flush();
  EXPECT_EQ(left->left(), 1000u);
  turn(*loop);
  EXPECT_EQ(rightReceiver.payloads, sent) << "one turn is enough";
}

TEST_F(ChannelTest, WhatAChildInheritsIsClosedThereWithWhatWaits) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const FileDescriptor in(ends[0]);
  FileDescriptor out(ends[1]);
  left->post({kTest, "waits", 0, out.get()});
  out.reset();
  char byte;
  ASSERT_EQ(::read(in.get(), &byte, 1), -1) << "the waiting copy is open";
  loop->del(left->fd());
  left->closeInChild();
  EXPECT_EQ(::read(in.get(), &byte, 1), 0) << "a copy is still open";
}

TEST_F(ChannelTest, HowFarWhatWaitsHasComeIsTold) {
  const std::string payload(60'000, 'x');
  while (left->taken() < 100) left->post({kTest, payload});
  left->flush();
  ASSERT_LT(left->left(), left->taken());
  EXPECT_EQ(leftReceiver.progress, 1) << "of the part that left";
  ASSERT_TRUE(until([&] { return left->left() == left->taken(); }));
  EXPECT_GT(leftReceiver.progress, 1);
  EXPECT_EQ(left->queuedBytes(), 0u);
}

TEST_F(ChannelTest, LastWordsComeBeforeTheEnd) {
  for (int i = 0; i < 100; ++i) left->send({kTest, std::to_string(i)});
  left.reset();
  ASSERT_TRUE(until([&] { return rightReceiver.closed; }));
  ASSERT_EQ(rightReceiver.payloads.size(), 100u);
  EXPECT_EQ(rightReceiver.payloads[99], "99");
  EXPECT_EQ(right->send({kTest}), Channel::Result::kGone);
}

TEST_F(ChannelTest, AHandlerMayDestroyItsChannel) {
  rightReceiver.destroy = &right;
  left->send({kTest, "one"});
  left->send({kTest, "two"});
  ASSERT_TRUE(until([&] { return leftReceiver.closed; }));
  EXPECT_EQ(rightReceiver.payloads, std::vector<std::string>{"one"});
}

TEST_F(ChannelTest, AHandlerThatThrowsLeavesAWholeChannel) {
  rightReceiver.throws = true;
  int thrown = 0;
  loop->setExceptionHandler([&](std::exception_ptr) { ++thrown; });
  left->send({kTest, "one"});
  ASSERT_TRUE(until([&] { return thrown == 1; }));
  rightReceiver.throws = false;
  left->send({kTest, "two"});
  ASSERT_TRUE(until([&] { return rightReceiver.payloads.size() == 2; }));
  right.reset();
}

TEST_F(ChannelTest, LastWordsHaveAnEndThoughTheOtherSideGoesOn) {
  const std::string payload(16, 'x');
  while (left->send({kTest, payload}) == Channel::Result::kSent) {
  }
  right->drain();
  EXPECT_FALSE(rightReceiver.payloads.empty());
  EXPECT_EQ(right->send({kTest}), Channel::Result::kGone);
}

TEST_F(ChannelTest, WhatComesWhileAFrameIsAwaitedIsHandedOnAfterwards) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor in(ends[0]), out(ends[1]);
  right->send({kTest, "first", 0, in.get()});
  right->send({kTest, "second"});
  right->send({kTest, "the one", 7});
  right->send({kTest, "third"});
  std::string seen;
  const auto isIt = [&](const Frame& frame) {
    seen += std::string(frame.payload) + " ";
    return frame.correlation == 7;
  };
  EXPECT_TRUE(left->await(std::chrono::seconds(5), isIt));
  EXPECT_EQ(seen, "first second the one ");
  EXPECT_TRUE(leftReceiver.payloads.empty()) << "nothing inside the call";
  ASSERT_TRUE(until([&] { return leftReceiver.payloads.size() == 3; }));
  EXPECT_EQ(leftReceiver.payloads,
            (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_GE(leftReceiver.descriptors[0].get(), 0) << "it came with its frame";
}

TEST_F(ChannelTest, AFrameThatDoesNotComeIsAwaitedForItsTimeOnly) {
  right->send({kTest, "another"});
  const auto none = [](const Frame&) { return false; };
  EXPECT_FALSE(left->await(std::chrono::milliseconds(20), none));
  EXPECT_TRUE(until([&] { return leftReceiver.payloads.size() == 1; }));
  right->send({kTest, "last words"});
  right.reset();
  EXPECT_FALSE(left->await(std::chrono::seconds(60), none)) << "at once";
  EXPECT_TRUE(until([&] { return leftReceiver.closed; }));
  EXPECT_EQ(leftReceiver.payloads.back(), "last words");
}

TEST_F(ChannelTest, GarbageEndsTheChannel) {
  auto [a, b] = Channel::makePair();
  Receiver receiver;
  Channel channel(*loop, std::move(b), receiver);
  ASSERT_EQ(::send(a.get(), "nonsense that is no frame", 25, 0), 25);
  EXPECT_TRUE(until([&] { return receiver.closed; }));
  EXPECT_TRUE(receiver.payloads.empty());
}

// ---- Ends, and want of descriptors

TEST_F(ChannelTest, AHandlerMayDestroyItsChannelInItsLastWordsToo) {
  rightReceiver.destroy = &right;
  left->send({kTest, "one"});
  left->send({kTest, "two"});
  right->drain();
  EXPECT_FALSE(right.has_value());
  EXPECT_EQ(rightReceiver.payloads, std::vector<std::string>{"one"});
}

TEST_F(ChannelTest, WithoutDescriptorsAFrameThatBringsOneIsRefused) {
  const std::string payload(1024, 'x');
  while (left->send({kTest, payload}) == Channel::Result::kSent) {
  }
  const FileDescriptor brought(::dup(STDERR_FILENO));
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  // dup(2) took the lowest number: those below are in use as well.
  none.rlim_cur = static_cast<rlim_t>(brought.get()) + 1;
  ::setrlimit(RLIMIT_NOFILE, &none);
  Channel::Result result{};
  EXPECT_NO_THROW(result = left->send({kTest, {}, 0, brought.get()}));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result, Channel::Result::kFull);
}

}  // namespace
}  // namespace brigade::test
