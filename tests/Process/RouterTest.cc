#include "brigade/Process/Router.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using detail::Envelope;
using detail::Op;
using detail::Place;

class RouterTest : public Office {
 protected:
  // As a worker whose program does not keep to the rules would write it.
  void forge(unsigned index, const Envelope& mail) {
    std::string bytes;
    detail::encode(mail, bytes);
    desks.at(index)->toMaster.post(
        {FrameKind::kMail, bytes, mail.correlation, mail.descriptor});
    desks.at(index)->toMaster.flush();
  }
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

class RouterHandoverTest : public RouterTest {
 protected:
  // The process at that index hands over to a new one, as the Supervisor does
  // it. Returns the one before, which is there until it is buried.
  void handOver(unsigned index) {
    const pid_t before = worker(index).self().pid;
    buried.push_back(std::move(desks.at(index)));
    fork(index);
    listenAt(index);
    router.onSucceeded(before, worker(index).self().pid);
    ready(index);
    router.onDraining(before);
  }
  void endLast() {
    router.onExit(buried.back()->mail.mailbox().self().pid, "exit 0");
  }
  void listenAt(unsigned index) {
    const unsigned generation = worker(index).self().generation;
    worker(index).on("e", [this, generation](const Letter& letter) {
      heard.push_back(std::stoi(std::string(letter.data)));
      by.push_back(generation);
    });
    worker(index).answerWith("q", [generation](const Letter&) {
      return std::to_string(generation);
    });
  }

  std::vector<int> heard;
  std::vector<unsigned> by;  // of which generation
};

TEST_F(RouterHandoverTest, LettersOverACutComeOnceAndInOrder) {
  open(2);
  listenAt(2);
  std::vector<int> expected;
  for (int i = 0; i < 60; ++i) {
    // To an index, and to whoever is there as the sender knows it.
    if (i % 2 == 0) {
      EXPECT_EQ(worker(1).send(2, "e", std::to_string(i)),
                Messenger::Result::kSent);
    } else {
      EXPECT_EQ(worker(1).broadcast("e", std::to_string(i)), 2u);
    }
    expected.push_back(i);
    if (i % 10 == 5) handOver(2);
    if (i % 10 == 8) endLast();
  }
  ASSERT_TRUE(until([&] { return heard.size() >= expected.size(); }));
  settle();
  EXPECT_EQ(heard, expected);
  EXPECT_TRUE(std::is_sorted(by.begin(), by.end()));
  EXPECT_EQ(by.back(), 7u);
}

TEST_F(RouterHandoverTest, AQuestionOverACutIsAnsweredByTheSuccessor) {
  open(2);
  listenAt(2);
  std::string answer;
  worker(1).request(2, "q", "", [&](const Answer& got) {
    answer =
        std::string(toString(got.status)) + " " + std::string(got.value.view());
  });
  handOver(2);
  // What it was asked of is gone before the answer comes.
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "ok 2");
  endLast();
  settle();
}

TEST_F(RouterHandoverTest, TheWindowOfWhatIsPassedOnComesBack) {
  open(2);
  listenAt(2);
  std::string number(60'000, ' ');
  number.front() = '1';
  std::size_t sent = 0;
  while (worker(1).send(2, "e", number) == Messenger::Result::kSent) ++sent;
  handOver(2);
  ASSERT_TRUE(until([&] { return heard.size() == sent; }));
  settle();
  EXPECT_EQ(worker(1).send(2, "e", number), Messenger::Result::kSent);
  ASSERT_TRUE(until([&] { return heard.size() == sent + 1; }));
}

TEST_F(RouterHandoverTest, AProcessThatTookOverHearsNothingOfItsOwn) {
  open(2);
  listenAt(2);
  const pid_t before = worker(2).self().pid;
  buried.push_back(std::move(desks.at(2)));
  fork(2);
  listenAt(2);
  // It has the connections, and the news of that is on its way.
  router.onSucceeded(before, worker(2).self().pid);
  Mailbox& mailbox = desks.at(2)->mail.mailbox();
  int published = 0;
  mailbox.onPublished([&](std::string_view) { ++published; });
  mailbox.succeed();
  EXPECT_EQ(mailbox.publish(0, "news"), 1u) << "the other one";
  settle();
  EXPECT_EQ(published, 0);
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
