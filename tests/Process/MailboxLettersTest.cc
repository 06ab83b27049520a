#include "brigade/Process/Mailbox.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/Process/support/MailboxFixture.h"

namespace brigade::test {
namespace {

TEST_F(MailboxTest, C08_ALetterReachesTheIndexAndSaysWhereItCameFrom) {
  open(3);
  Heard heard;
  listen(worker(3), "hello", heard);
  EXPECT_EQ(worker(1).send(3, "hello", "you"), Result::kSent);
  EXPECT_EQ(master().send(3, "hello", "there"), Result::kSent);
  ASSERT_TRUE(until([&] { return heard.data.size() == 2; }));
  EXPECT_EQ(heard.data, (std::vector<std::string>{"you", "there"}));
  EXPECT_EQ(heard.from, (std::vector<unsigned>{1, 0}));
}

TEST_F(MailboxTest, C09_EveryOtherIndexIsTheMasterWhichIsToldTheIndex) {
  open(2);
  Heard heard;
  listen(master(), "hello", heard);
  const auto minusOne = static_cast<unsigned>(-1);
  for (const unsigned index : {0u, kWorkers + 1, minusOne, 99u}) {
    EXPECT_EQ(worker(2).send(index, "hello"), Result::kSent);
  }
  ASSERT_TRUE(until([&] { return heard.to.size() == 4; }));
  EXPECT_EQ(heard.to, (std::vector<unsigned>{0, kWorkers + 1, minusOne, 99}));
}

TEST_F(MailboxTest, ALetterToOneselfArrivesButNotInsideSend) {
  open(1);
  for (Messenger* self : {&worker(1), &master()}) {
    Heard heard;
    listen(*self, "note", heard);
    EXPECT_EQ(self->send(self->self().index, "note", "x"), Result::kSent);
    EXPECT_TRUE(heard.data.empty());
    ASSERT_TRUE(until([&] { return heard.data.size() == 1; }));
    EXPECT_EQ(heard.from.front(), self->self().index);
  }
}

TEST_F(MailboxTest, C03_EveryPayloadArrivesAsItWasSent) {
  open(2);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::vector<std::string> sent = {"", ":", all};
  for (const std::size_t size :
       {65535u, 65536u, 65537u, 1024u * 1024, 64u * 1024 * 1024}) {
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
  }
  Heard heard;
  listen(worker(2), "bytes", heard);
  for (const std::string& payload : sent) {
    EXPECT_EQ(worker(1).send(2, "bytes", payload), Result::kSent);
  }
  ASSERT_TRUE(until([&] { return heard.data.size() == sent.size(); }));
  EXPECT_EQ(heard.data, sent);
}

TEST_F(MailboxTest, T05_C10_C08_WhoIsNotThereIsNamedAtOnce) {
  open(2);
  const Member old = worker(2).self();
  EXPECT_EQ(worker(1).send(3, "hello"), Result::kNobody);
  die(2);
  settle();
  EXPECT_EQ(worker(1).send(2, "hello"), Result::kNobody);
  EXPECT_EQ(worker(1).send(old, "hello"), Result::kNobody);
  fork(2);
  ready(2);
  settle();
  Heard heard;
  listen(worker(2), "hello", heard);
  EXPECT_EQ(worker(1).send(old, "hello", "to the dead"), Result::kStale);
  EXPECT_EQ(worker(1).send(2, "hello", "to the living"), Result::kSent);
  ASSERT_TRUE(until([&] { return heard.data.size() == 1; }));
  EXPECT_EQ(heard.data.front(), "to the living");
}

TEST_F(MailboxTest, T07_ABroadcastReachesEveryWorkerAndTellsHowMany) {
  open(4);
  std::map<unsigned, Heard> heard;
  for (unsigned i = 1; i <= 4; ++i) listen(worker(i), "e", heard[i]);
  listen(master(), "e", heard[0]);
  EXPECT_EQ(worker(2).broadcast("e", "d"), 4u);
  ASSERT_TRUE(until([&] { return heard[2].data.size() == 1; }));
  settle();
  for (unsigned i = 1; i <= 4; ++i) EXPECT_EQ(heard[i].data.size(), 1u) << i;
  EXPECT_TRUE(heard[0].data.empty());
  EXPECT_EQ(worker(2).broadcast("e", "d", {.self = false, .master = true}), 4u);
  settle();
  EXPECT_EQ(heard[2].data.size(), 1u);
  EXPECT_EQ(heard[0].data.size(), 1u);
  EXPECT_EQ(master().broadcast("nobody listens"), 4u);
  EXPECT_TRUE(exceptions.empty());
}

TEST_F(MailboxTest, T07_ManyBroadcastsFromAllKeepTheOrderOfEachSender) {
  open(4);
  constexpr int kEach = 1000;
  std::map<unsigned, std::map<unsigned, int>> next;
  bool ordered = true;
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).on("n", [&, i](const Letter& letter) {
      ordered &=
          std::stoi(std::string(letter.data)) == next[i][letter.from.index]++;
    });
  }
  std::vector<int> sent(5, 0);
  const auto all = [&] {
    bool done = true;
    for (unsigned i = 1; i <= 4; ++i) {
      auto& number = sent[i];
      while (number < kEach &&
             worker(i).broadcast("n", std::to_string(number)) == 4) {
        ++number;
      }
      done &= number == kEach && next[i].size() == 4;
      for (const auto& [from, count] : next[i]) done &= count == kEach;
    }
    return done;
  };
  EXPECT_TRUE(until(all));
  EXPECT_TRUE(ordered);
}

TEST_F(MailboxTest, ABroadcastToOneWorkersProcessesReachesNoOthers) {
  fork(1, 0);
  fork(2, 1);
  fork(3, 1);
  for (unsigned i = 1; i <= 3; ++i) ready(i);
  settle();
  Heard one, three;
  listen(worker(1), "e", one);
  listen(worker(3), "e", three);
  EXPECT_EQ(worker(2).broadcast("e", "", {.self = false, .group = 1}), 1u);
  settle();
  EXPECT_TRUE(one.data.empty());
  EXPECT_EQ(three.data.size(), 1u);
}

TEST_F(MailboxTest, C04_WhatWaitsForOneThatDoesNotReadIsBoundedAndKept) {
  open(1);
  EventInterface& stopped = forkStopped(2);
  fork(3);
  ready(3);
  settle();
  Heard heard, other;
  listen(worker(3), "e", other);
  int room = 0;
  worker(1).onRoom([&](unsigned index) {
    EXPECT_EQ(index, 2u);
    ++room;
  });
  const std::string data(256, 'x');
  std::vector<std::string> taken;
  const auto send = [&] {
    const std::string text = data + std::to_string(taken.size());
    const bool sent = worker(1).send(2, "e", text) == Result::kSent;
    if (sent) taken.push_back(text);
    return sent;
  };
  // Until its socket is full, and what the window allows waits behind it.
  std::size_t waits = 0;
  ASSERT_TRUE(until([&] {
    while (send()) {
    }
    const std::size_t queued = desks.at(2)->toWorker.queuedBytes();
    return queued > 0 && std::exchange(waits, queued) == queued;
  }));
  settle();
  while (send()) {
  }
  settle();
  const std::size_t most = Messenger::kWindow / data.size();
  // The kernel doubles what it is asked for (socket(7)).
  const std::size_t inSocket = 2 * Channel::kSocketBuffer / data.size();
  EXPECT_LE(taken.size(), most + inSocket);
  EXPECT_LE(desks.at(2)->toWorker.queuedBytes(), 2 * Messenger::kWindow);
  EXPECT_EQ(worker(1).send(2, "e"), Result::kFull);
  EXPECT_EQ(worker(1).broadcast("e", "to the others"), 2u)
      << "itself and the third";
  ASSERT_TRUE(until([&] { return other.data.size() == 1; }));
  const int before = room;

  listen(worker(2), "e", heard);
  ASSERT_TRUE(until([&] {
    turn(stopped);
    return heard.data.size() >= taken.size();
  }));
  EXPECT_EQ(heard.data, taken);
  ASSERT_TRUE(until([&] { return room > before; }));
  EXPECT_EQ(worker(1).send(2, "e"), Result::kSent);
}

TEST_F(MailboxTest, OneThatDrainsGetsNothingNewButTheAnswersItWaitsFor) {
  open(3);
  Heard heard;
  listen(worker(2), "e", heard);
  std::vector<Reply> kept;
  worker(1).answer("slow", [&](const Letter&, const Reply& reply) {
    kept.push_back(reply);
  });
  std::string answer;
  worker(2).request(1, "slow", "",
                    [&](const Answer& got) { answer = got.value.view(); });
  ASSERT_TRUE(until([&] { return kept.size() == 1; }));
  router.onDraining(worker(2).self().pid);
  settle();
  EXPECT_EQ(worker(1).send(2, "e"), Result::kNobody);
  EXPECT_EQ(worker(1).broadcast("e"), 2u);
  kept.front().send("here");
  ASSERT_TRUE(until([&] { return answer == "here"; }));
  EXPECT_TRUE(heard.data.empty());
}

}  // namespace
}  // namespace brigade::test
