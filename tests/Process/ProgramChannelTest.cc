#include "brigade/Process/ProgramChannel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

using Result = ProgramChannel::Result;
using Strings = std::vector<std::string>;

class ProgramChannelTest : public ::testing::Test,
                           public ProgramChannelHandler {
 protected:
  void onMessage(std::string_view event, std::string_view data) override {
    messages.push_back(std::string(event) + "=" + std::string(data));
    if (whenTold) whenTold();
  }
  void onBadMessage(std::string_view reason) override {
    bad.emplace_back(reason);
  }

  void open(std::size_t maxPerSecond = 0) {
    auto pair = ProgramChannel::makePair();
    program = std::move(pair.program);
    channel = std::make_unique<ProgramChannel>(*loop, std::move(pair.master),
                                               maxPerSecond, *this);
  }
  // As a program does.
  bool say(std::string_view datagram) {
    return ::send(program.get(), datagram.data(), datagram.size(),
                  MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }
  static std::string message(const std::string& event,
                             const std::string& data = "") {
    std::string text = event;
    text.push_back('\0');
    return text.append(data);
  }
  // The next datagram for the program; "none", or "end".
  std::string heard() {
    std::string bytes(100'000, '\0');
    const ssize_t n =
        ::recv(program.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n <= 0) return n == 0 ? "end" : "none";
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
  }
  bool until(const std::function<bool()>& condition) {
    return runUntil(*loop, condition);
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  Strings messages;
  Strings bad;
  std::function<void()> whenTold;
  FileDescriptor program;
  std::unique_ptr<ProgramChannel> channel;
};

TEST_F(ProgramChannelTest, OneDatagramIsOneMessageBothWays) {
  open();
  const std::string all("a\0b\xff\n", 5);
  say(message("hi", "there"));
  say(message("bytes", all));
  say(message("empty"));
  ASSERT_TRUE(until([&] { return messages.size() == 3; }));
  EXPECT_EQ(messages, (Strings{"hi=there", "bytes=" + all, "empty="}));
  EXPECT_EQ(channel->send("yo", all), Result::kSent);
  EXPECT_EQ(channel->send("none", ""), Result::kSent);
  EXPECT_EQ(heard(), message("yo", all));
  EXPECT_EQ(heard(), message("none"));
}

TEST_F(ProgramChannelTest, TheProgramsEndBlocksAndIsCloseOnExec) {
  open();
  EXPECT_EQ(::fcntl(program.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(program.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(ProgramChannelTest, TheLongestMessagePassesAndALongerOneIsBad) {
  open();
  const std::string event(ProgramPost::kMaxEvent, 'e');
  const std::string data(ProgramPost::kMaxData, 'd');
  say(message(event, data));
  ASSERT_TRUE(until([&] { return messages.size() == 1; }));
  EXPECT_EQ(messages[0], event + "=" + data);
  EXPECT_EQ(channel->send(event, data), Result::kSent);
  EXPECT_EQ(heard(), message(event, data));
  EXPECT_THROW(channel->send("e", data + "d"), std::length_error);
  say(message("e", data + "d"));
  ASSERT_TRUE(until([&] { return bad.size() == 1; }));
  EXPECT_EQ(bad[0], "a message that is too long");
  EXPECT_EQ(messages.size(), 1u);
}

TEST_F(ProgramChannelTest, WhatBreaksTheRulesClosesTheChannel) {
  const std::pair<std::string, const char*> cases[] = {
      {"abc", "a message without an event"},
      {std::string(1, '\0'), "a message whose event has no name"},
      {message(" hi"), "a message whose event has no name"},
      {message("h\xc3\xa4"), "a message whose event has no name"},
      {message(std::string(65, 'e')), "a message whose event has no name"},
      {std::string(80'000, 'x'), "a message that is too long"},
  };
  for (const auto& [datagram, reason] : cases) {
    open();
    bad.clear();
    messages.clear();
    say(message("before"));
    say(datagram);
    say(message("after"));
    ASSERT_TRUE(until([&] { return !bad.empty(); })) << reason;
    EXPECT_EQ(bad, Strings{reason});
    EXPECT_EQ(messages, Strings{"before="});
    EXPECT_EQ(channel->send("yo", ""), Result::kGone);
    EXPECT_FALSE(say(message("again")));
  }
}

TEST_F(ProgramChannelTest, AnEventOfOursIsCheckedToo) {
  open();
  for (const std::string event : {"", "a b", "ä"}) {
    EXPECT_THROW(channel->send(event, ""), std::invalid_argument) << event;
  }
}

TEST_F(ProgramChannelTest, AProgramThatDoesNotReadFillsABoundedQueue) {
  open();
  const std::string data(ProgramPost::kMaxData, 'd');
  Result result = Result::kSent;
  std::size_t sent = 0;
  std::size_t queued = 0;
  for (int i = 0; i < 1000 && result != Result::kFull; ++i) {
    result = channel->send(std::to_string(i), data);
    if (result == Result::kSent) ++sent;
    if (result == Result::kQueued) ++queued;
  }
  EXPECT_EQ(result, Result::kFull);
  EXPECT_GE(sent, 1u);
  EXPECT_EQ(queued, ProgramPost::kMaxQueue / ProgramPost::kMaxData - 1);
  // What was taken arrives, in order.
  std::size_t arrived = 0;
  ASSERT_TRUE(until([&] {
    for (std::string each = heard(); each != "none"; each = heard()) {
      EXPECT_TRUE(each.starts_with(message(std::to_string(arrived))))
          << arrived;
      ++arrived;
    }
    return arrived == sent + queued;
  }));
  EXPECT_EQ(channel->send("now", ""), Result::kSent);
}

TEST_F(ProgramChannelTest, TheEndOfTheProgramIsKGoneAndNothingBad) {
  open();
  say(message("last"));
  program.reset();
  ASSERT_TRUE(until([&] { return messages.size() == 1; }));
  EXPECT_TRUE(until([&] { return channel->send("yo", "") == Result::kGone; }));
  EXPECT_TRUE(bad.empty());
}

TEST_F(ProgramChannelTest, DrainDeliversWhatIsThereAndCloses) {
  open(2);
  for (int i = 0; i < 10; ++i) say(message(std::to_string(i)));
  channel->drain();
  EXPECT_EQ(messages.size(), 10u) << "the dead are not slowed down";
  EXPECT_EQ(heard(), "end");
}

TEST_F(ProgramChannelTest, WhoSendsTooMuchWaitsForTheNextSecond) {
  open(3);
  for (int i = 0; i < 5; ++i) say(message(std::to_string(i)));
  const auto begun = Clock::now();
  ASSERT_TRUE(until([&] { return messages.size() == 3; }));
  turn(*loop);
  turn(*loop);
  EXPECT_EQ(messages.size(), 3u);
  EXPECT_EQ(channel->send("yo", ""), Result::kSent) << "the way back is open";
  ASSERT_TRUE(until([&] { return messages.size() == 5; }));
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(900));
  EXPECT_TRUE(bad.empty());
}

TEST_F(ProgramChannelTest, WhoSendsTooMuchAllTheTimeIsCutOff) {
  open(10);
  ASSERT_TRUE(until([&] {
    while (say(message("m"))) {
    }
    return !bad.empty();
  }));
  EXPECT_EQ(bad, Strings{"a flood: over 10 messages a second"});
  EXPECT_EQ(messages.size(), 50u) << "five seconds' worth";
}

TEST_F(ProgramChannelTest, AHandlerMayAnswerAndMayThrow) {
  open();
  loop->setExceptionHandler([](std::exception_ptr) {});
  whenTold = [&] {
    channel->send("yo", "");
    throw std::runtime_error("x");
  };
  say(message("a"));
  say(message("b"));
  ASSERT_TRUE(until([&] { return messages.size() == 2; }));
  EXPECT_EQ(heard(), message("yo"));
}

}  // namespace
}  // namespace brigade::test
