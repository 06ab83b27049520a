#include "brigade/Process/Router.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using detail::Op;
using detail::Place;

class RouterTest : public Office {
 protected:
  static std::string target(unsigned index, unsigned generation) {
    const std::vector<Place> places{{index, generation}};
    return std::string(detail::asTargets(places));
  }
};

TEST_F(RouterTest, C05_WhoForgesItsIndexIsKnownByItsTrueOne) {
  open(2);
  unsigned from = 0;
  worker(2).on("e", [&](const Letter& letter) { from = letter.from.index; });
  const std::string to = target(2, 1);
  forge(1, {.op = Op::kLetter, .from = {7, 7}, .targets = to, .name = "e"});
  ASSERT_TRUE(until([&] { return from != 0; }));
  EXPECT_EQ(from, 1u);
}

TEST_F(RouterTest, WhatIsNoMailIsThrownAwayAndReportedOnce) {
  open(2);
  const std::string all(24, static_cast<char>(0xFF));
  for (const std::string& bytes :
       {std::string("xyz"), all, std::string(60'000, 'z')}) {
    desks.at(1)->toMaster.send({FrameKind::kMail, bytes});
  }
  int answers = 0;
  worker(1).request(0, "e", "", [&](const Answer&) { ++answers; });
  ASSERT_TRUE(until([&] { return answers == 1; })) << "it is still heard";
  int reports = 0;
  for (const std::string& trouble : troubles) {
    if (trouble.find("worker 1, pid") != std::string::npos) ++reports;
  }
  EXPECT_EQ(reports, 1);
}

TEST_F(RouterTest, WhoSendsBeyondItsWindowLosesThatAndFillsNothing) {
  open(1);
  EventInterface& stopped = forkStopped(2);
  const std::string to = target(2, 1);
  const std::string data(60'000, 'x');
  for (int i = 0; i < 300; ++i) {
    forge(1, {.op = Op::kLetter, .targets = to, .name = "e", .data = data});
    turn(*loop);
  }
  EXPECT_LT(desks.at(2)->toWorker.queuedBytes(), 2 * Messenger::kWindow);
  ASSERT_FALSE(troubles.empty());
  EXPECT_NE(troubles.back().find("more than it may"), std::string::npos);
  turn(stopped);
}

TEST_F(RouterTest, MailToOneThatIsGoneIsRefusedAndCostsNoWindow) {
  open(2);
  // Sent before the news of its end has arrived.
  const Member old = worker(2).self();
  router.onExit(old.pid, "exit 1");
  std::string answer;
  worker(1).request(2, "e", "", [&](const Answer& got) {
    answer = std::string(toString(got.status));
  });
  const std::string data(100'000, 'x');
  for (int i = 0; i < 10; ++i) worker(1).send(2, "e", data);
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "died");
  fork(2);
  ready(2);
  settle();
  EXPECT_EQ(worker(1).send(2, "e", data), Messenger::Result::kSent);
}

TEST_F(RouterTest, APayloadThatIsNotSealedReachesNoHandler) {
  open(2);
  int heard = 0;
  worker(2).on("e", [&](const Letter&) { ++heard; });
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor in(ends[0]);
  const FileDescriptor out(ends[1]);
  const std::string to = target(2, 1);
  forge(1, {.op = Op::kLetter,
            .targets = to,
            .name = "e",
            .descriptor = in.get(),
            .size = 100});
  ASSERT_TRUE(until([&] { return !troubles.empty(); }));
  EXPECT_NE(troubles.front().find("what worker 1 sent is lost"),
            std::string::npos)
      << troubles.front();
  worker(1).send(2, "e");
  ASSERT_TRUE(until([&] { return heard == 1; }));
}

TEST_F(RouterTest, WhoAsksForMoreAndReadsNothingIsHeardNoMore) {
  open(1);
  EventInterface& stopped = forkStopped(2);
  // Each is answered with a refusal that it does not read.
  for (int i = 0; i < 500; ++i) {
    for (int j = 0; j < 500; ++j) {
      forge(2, {.op = Op::kConsume, .name = "nobody", .data = "x"});
    }
    turn(*loop);
  }
  EXPECT_LT(desks.at(2)->toWorker.queuedBytes(), Router::kMostUnread + 100'000);
  turn(stopped);
}

}  // namespace
}  // namespace brigade::test
