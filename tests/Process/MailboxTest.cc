#include "brigade/Process/Mailbox.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using Result = Messenger::Result;
using Status = Answer::Status;
using Route = Messenger::Route;

class MailboxTest : public Office {
 protected:
  // What a process has heard of an event.
  struct Heard {
    std::vector<std::string> data;
    std::vector<unsigned> from;
    std::vector<unsigned> to;
  };
  void listen(Messenger& messenger, const std::string& event, Heard& heard) {
    messenger.on(event, [&heard](const Letter& letter) {
      heard.data.emplace_back(letter.data);
      heard.from.push_back(letter.from.index);
      heard.to.push_back(letter.to);
    });
  }
  std::vector<Answer> answersOfMap(Messenger& asker, const std::string& event,
                                   Clock::duration patience) {
    std::vector<Answer> result;
    bool done = false;
    asker.map(
        event, "question",
        [&](const std::vector<Answer>& answers) {
          result = answers;
          done = true;
        },
        patience);
    EXPECT_TRUE(until([&] { return done; }));
    return result;
  }
};

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

TEST_F(MailboxTest, C18_NamesOfBrigadesOwnAndNamesThatAreNoneAreRefused) {
  open(1);
  Messenger& messenger = worker(1);
  EXPECT_THROW(messenger.broadcast("brigade:online", "x"),
               std::invalid_argument);
  EXPECT_THROW(messenger.send(0, ""), std::invalid_argument);
  EXPECT_THROW(messenger.send(0, std::string(256, 'n')), std::invalid_argument);
  Heard heard;
  for (const std::string& name :
       {std::string("a:b"), std::string(200, 'n'), std::string(255, 'n'),
        std::string("na\xc3\xafve \xe2\x9c\x93")}) {
    listen(master(), name, heard);
    EXPECT_EQ(messenger.send(0, name, name), Result::kSent);
  }
  ASSERT_TRUE(until([&] { return heard.data.size() == 4; }));
}

TEST_F(MailboxTest, T06_AllHandlersRunInOrderAndAnExceptionStopsNone) {
  open(1);
  std::string order;
  Messenger& messenger = worker(1);
  messenger.on("e", [&](const Letter&) -> void {
    order += 'a';
    throw std::runtime_error("boom");
  });
  const auto second = messenger.on("e", [&](const Letter&) { order += 'b'; });
  messenger.once("e", [&](const Letter&) { order += 'c'; });
  master().send(1, "e");
  ASSERT_TRUE(until([&] { return order == "abc"; })) << order;
  ASSERT_EQ(exceptions.size(), 1u);
  EXPECT_EQ(exceptions.front(), "a handler of 'e': boom");
  messenger.off(second);
  master().send(1, "e");
  ASSERT_TRUE(until([&] { return order.size() >= 4; }));
  settle();
  EXPECT_EQ(order, "abca");
}

TEST_F(MailboxTest, AHandlerMayRemoveItselfAndTheNextOne) {
  open(1);
  Messenger& messenger = worker(1);
  int calls = 0;
  Messenger::HandlerId first{}, second{};
  first = messenger.on("e", [&](const Letter&) {
    ++calls;
    messenger.off(first);
    messenger.off(second);
  });
  second = messenger.on("e", [&](const Letter&) { calls += 100; });
  master().send(1, "e");
  master().send(1, "e");
  settle();
  EXPECT_EQ(calls, 1);
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

TEST_F(MailboxTest, ARequestHasTheAnswerOfItsResponderAlsoALateOne) {
  open(2);
  worker(2).answerWith("double", [](const Letter& letter) {
    return std::string(letter.data) + std::string(letter.data);
  });
  worker(2).answer("later", [this](const Letter&, const Reply& reply) {
    loop->add(std::chrono::milliseconds(5), Repeat::kOnce,
              [reply] { reply.send("at last"); });
  });
  worker(2).answer("never", [](const Letter&, const Reply&) {});
  std::map<std::string, std::string> answers;
  for (const char* event : {"double", "later", "never"}) {
    worker(1).request(2, event, "ab", [&, event](const Answer& answer) {
      answers[event] = std::string(toString(answer.status)) + " " +
                       std::string(answer.value.view());
      EXPECT_EQ(answer.from.index, 2u);
    });
  }
  ASSERT_TRUE(until([&] { return answers.size() == 3; }));
  EXPECT_EQ(answers["double"], "ok abab");
  EXPECT_EQ(answers["later"], "ok at last");
  EXPECT_EQ(answers["never"], "error its handler went without an answer");
}

TEST_F(MailboxTest, AnswersAndLettersOfOneProcessArriveInTheirOrder) {
  open(1);
  std::string heard;
  worker(1).on("letter", [&](const Letter& letter) { heard += letter.data; });
  master().answer("question", [&](const Letter& letter, const Reply& reply) {
    master().send(1, "letter", "a");
    if (letter.data == "large") {
      reply.send(std::string(200'000, 'B'));  // as SealedMemory
    } else {
      reply.send("b");
    }
    master().send(1, "letter", "c");
  });
  for (const char* size : {"small", "large", "small"}) {
    worker(1).request(0, "question", size, [&](const Answer& answer) {
      EXPECT_EQ(answer.status, Status::kOk);
      heard += answer.value.view().front();
    });
  }
  ASSERT_TRUE(until([&] { return heard.size() >= 9; }));
  EXPECT_EQ(heard, "abcaBcabc");
}

TEST_F(MailboxTest, T11_MapHasTheFirstRespondersValueOfEveryWorkerByIndex) {
  open(4);
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).answerWith("e", [i](const Letter&) { return std::to_string(i); });
    worker(i).answerWith("e", [](const Letter&) { return "second"; });
  }
  for (Messenger* asker : {&worker(3), &master()}) {
    const auto answers = answersOfMap(*asker, "e", std::chrono::seconds(5));
    ASSERT_EQ(answers.size(), 4u);
    for (unsigned i = 1; i <= 4; ++i) {
      EXPECT_EQ(answers[i - 1].from.index, i);
      EXPECT_EQ(answers[i - 1].from.pid, worker(i).self().pid);
      EXPECT_EQ(answers[i - 1].value.view(), std::to_string(i));
    }
  }
}

TEST_F(MailboxTest, T11_AHundredMapsInFlightDoNotMixTheirAnswers) {
  open(4);
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).answer("e", [this, i](const Letter& letter, const Reply& reply) {
      const auto wait = std::chrono::milliseconds((letter.data.size() * i) % 7);
      loop->add(wait, Repeat::kOnce,
                [reply, i, data = std::string(letter.data)] {
                  reply.send(data + std::to_string(i));
                });
    });
  }
  int right = 0;
  for (int n = 0; n < 100; ++n) {
    const std::string data(static_cast<std::size_t>(n), 'x');
    worker(1).map("e", data, [&right, data](const auto& answers) {
      bool all = answers.size() == 4;
      for (std::size_t i = 0; i < answers.size(); ++i) {
        all &= answers[i].value.view() == data + std::to_string(i + 1);
      }
      right += all ? 1 : 0;
    });
  }
  EXPECT_TRUE(until([&] { return right == 100; })) << right;
}

TEST_F(MailboxTest, T12_MapTellsForEachWorkerHowItEnded) {
  open(4);
  worker(1).answerWith("e", [](const Letter&) -> std::string {
    throw std::runtime_error("boom");
  });
  worker(2).answer(
      "e", [kept = std::make_shared<std::vector<Reply>>()](
               const Letter&, const Reply& reply) { kept->push_back(reply); });
  worker(3).answer("e", [this, kept = std::make_shared<std::vector<Reply>>()](
                            const Letter&, const Reply& reply) {
    kept->push_back(reply);
    loop->defer([this] { die(3, "exit 7"); });
  });
  const auto answers =
      answersOfMap(master(), "e", std::chrono::milliseconds(300));
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_EQ(answers[0].status, Status::kError);
  EXPECT_EQ(answers[0].value.view(), "boom");
  EXPECT_EQ(answers[1].status, Status::kTimeout);
  EXPECT_EQ(answers[2].status, Status::kDied);
  EXPECT_EQ(answers[2].value.view(), "exit 7");
  EXPECT_EQ(answers[3].status, Status::kNoHandler);
}

TEST_F(MailboxTest, T12_AnAnswerBehindItsDeadlineIsCountedAndDropped) {
  open(2);
  std::vector<Reply> kept;
  worker(2).answer(
      "e", [&](const Letter&, const Reply& reply) { kept.push_back(reply); });
  int answers = 0;
  worker(1).request(
      2, "e", "", [&](const Answer&) { ++answers; },
      std::chrono::milliseconds(1));
  ASSERT_TRUE(until([&] { return answers == 1 && !kept.empty(); }));
  kept.front().send("too late");
  ASSERT_TRUE(until([&] { return worker(1).figures().lateAnswers == 1; }));
  EXPECT_EQ(answers, 1);
}

TEST_F(MailboxTest, T12_MapOfNobodyIsEmpty) {
  EXPECT_TRUE(answersOfMap(master(), "e", std::chrono::seconds(5)).empty());
}

TEST_F(MailboxTest, WhoIsAskedAndNotThereRefuses) {
  open(1);
  std::string got;
  worker(1).request(2, "e", "", [&](const Answer& answer) {
    got = std::string(toString(answer.status)) + ": " +
          std::string(answer.value.view());
  });
  EXPECT_EQ(got, "") << "never from inside request()";
  ASSERT_TRUE(until([&] { return !got.empty(); }));
  EXPECT_EQ(got, "refused: no such worker");
}

TEST_F(MailboxTest, C11_RingCollectsFromOneToTheNextAndEndsInTheMaster) {
  open(4);
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).answerWith("sum", [i](const Letter& letter) {
      return std::to_string(std::stoul(std::string(letter.data)) + i);
    });
  }
  std::string masterSaw;
  master().answerWith("sum", [&](const Letter& letter) {
    return masterSaw = std::string(letter.data);
  });
  std::optional<Ring> ring;
  worker(2).ring("sum", "0", [&](const Ring& result) { ring = result; });
  ASSERT_TRUE(until([&] { return ring.has_value(); }));
  EXPECT_EQ(ring->value, "10");
  EXPECT_EQ(masterSaw, "10");
  EXPECT_EQ(ring->contributed, (std::vector<unsigned>{1, 2, 3, 4, 0}));
  EXPECT_TRUE(ring->missing.empty());
}

TEST_F(MailboxTest, C11_RingPassesOverWhoDiesOrIsNotThere) {
  open(3);
  for (unsigned i = 1; i <= 3; ++i) {
    worker(i).answer("sum", [this, i](const Letter& letter,
                                      const Reply& reply) {
      if (i == 2) {
        loop->defer([this] { die(2); });
      } else {
        reply.send(std::to_string(std::stoul(std::string(letter.data)) + i));
      }
    });
  }
  std::optional<Ring> ring;
  worker(1).ring("sum", "0", [&](const Ring& result) { ring = result; });
  ASSERT_TRUE(until([&] { return ring.has_value(); }));
  EXPECT_EQ(ring->value, "4");
  EXPECT_EQ(ring->missing, (std::vector<unsigned>{2, 4, 0}));
}

TEST_F(MailboxTest, T08_ConsumeRunsOnceWhoeverCallsAndEveryWorkerHasItsShare) {
  open(4);
  std::map<std::string, int> runs;
  std::map<unsigned, int> share;
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).on("task", [&, i](const Letter& letter) {
      ++runs[std::string(letter.data)];
      ++share[i];
    });
  }
  settle();
  int done = 0;
  for (int n = 0; n < 250; ++n) {
    for (unsigned i = 1; i <= 4; ++i) {
      const std::string id = std::to_string(i) + "-" + std::to_string(n);
      worker(i).consume("task", id, [&](const Answer& answer) {
        EXPECT_EQ(answer.status, Status::kOk);
        EXPECT_NE(answer.from.index, 0u);
        ++done;
      });
    }
    if (n % 50 == 0) turn(*loop);
  }
  ASSERT_TRUE(until([&] { return done == 1000; })) << done;
  EXPECT_EQ(runs.size(), 1000u);
  for (const auto& [id, count] : runs) EXPECT_EQ(count, 1) << id;
  for (unsigned i = 1; i <= 4; ++i) EXPECT_GT(share[i], 100) << i;
}

TEST_F(MailboxTest, T08_OnlyWhoListensIsGivenATaskAndWithoutOneItIsSaid) {
  open(4);
  int runs = 0;
  worker(2).answerWith("task", [&](const Letter& letter) {
    ++runs;
    return "done " + std::string(letter.data);
  });
  settle();
  int answered = 0;
  for (int n = 0; n < 10; ++n) {
    worker(3).consume("task", "x", [&](const Answer& answer) {
      EXPECT_EQ(answer.from.index, 2u);
      EXPECT_EQ(answer.value.view(), "done x");
      ++answered;
    });
  }
  bool nobody = false;
  master().consume("other", "", [&](const Answer& answer) {
    nobody = answer.status == Status::kNoHandler;
  });
  ASSERT_TRUE(until([&] { return answered == 10 && nobody; }));
  EXPECT_EQ(runs, 10);
}

TEST_F(MailboxTest, T08_ATaskWhoseWorkerDiesIsLostOrRunElsewhereAsAsked) {
  open(3);
  std::vector<Reply> kept;
  std::map<std::string, std::vector<unsigned>> runs;
  for (unsigned i = 2; i <= 3; ++i) {
    worker(i).answer("task", [&, i](const Letter& letter, const Reply& reply) {
      auto& by = runs[std::string(letter.data)];
      by.push_back(i);
      if (letter.data == "again" && by.size() > 1) {
        reply.send("done");
      } else {
        kept.push_back(reply);
      }
    });
  }
  settle();
  std::map<std::string, std::string> answers;
  const auto submit = [&](const std::string& data,
                          Messenger::Delivery delivery) {
    worker(1).consume(
        "task", data,
        [&, data](const Answer& answer) {
          answers[data] = std::string(toString(answer.status)) + " " +
                          std::string(answer.value.view());
        },
        delivery);
  };
  submit("once", Messenger::Delivery::kAtMostOnce);
  submit("again", Messenger::Delivery::kAtLeastOnce);
  ASSERT_TRUE(until([&] { return kept.size() == 2; }));
  ASSERT_EQ(runs["once"].size(), 1u);
  ASSERT_EQ(runs["again"].size(), 1u);
  ASSERT_NE(runs["once"], runs["again"]);
  const unsigned first = runs["again"].front();
  die(runs["once"].front());
  // The other one of the two is still there for the second task.
  fork(runs["once"].front());
  ready(runs["once"].front());
  worker(runs["once"].front()).answerWith("task", [&](const Letter& letter) {
    runs[std::string(letter.data)].push_back(9);
    return "done";
  });
  settle();
  die(first);
  ASSERT_TRUE(until([&] { return answers.size() == 2; }));
  EXPECT_EQ(answers["once"], "died killed by SIGKILL");
  EXPECT_EQ(answers["again"], "ok done");
  EXPECT_EQ(runs["once"].size(), 1u);
  EXPECT_EQ(runs["again"].size(), 2u);
  kept.clear();
}

TEST_F(MailboxTest, T09_OfManyThatCallRunOnceOneRuns) {
  open(4);
  int runs = 0;
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).runOnce("boot", [&] { ++runs; });
  }
  master().runOnce("boot", [&] { ++runs; });
  settle();
  EXPECT_EQ(runs, 1);
  worker(1).runOnce("boot", [&] { ++runs; });
  settle();
  EXPECT_EQ(runs, 1) << "once in the life of the server";
}

TEST_F(MailboxTest, T09_WhenTheHolderFailsOrDiesAnotherOneRuns) {
  open(3);
  int tries = 0;
  worker(1).runOnce("boot", [&]() -> void {
    ++tries;
    throw std::runtime_error("no luck");
  });
  settle();
  worker(2).runOnce("boot", [&] { ++tries; });
  settle();
  EXPECT_EQ(tries, 2);
  ASSERT_EQ(exceptions.size(), 1u);
}

TEST_F(MailboxTest, T09_WithTheScopeOfAReloadItRunsOnceMoreAfterEach) {
  open(2);
  int runs = 0;
  const auto all = [&] {
    for (unsigned i = 1; i <= 2; ++i) {
      worker(i).runOnce(
          "warm", [&] { ++runs; }, Messenger::Scope::kReload);
    }
    settle();
  };
  all();
  all();
  EXPECT_EQ(runs, 1);
  router.beginEpoch();
  all();
  EXPECT_EQ(runs, 2);
}

TEST_F(MailboxTest, C07_EveryoneHearsOnceAndInOrderWhoComesAndGoes) {
  open(2);
  std::map<unsigned, std::string> seen;
  const auto watch = [&](Messenger& messenger, unsigned who) {
    messenger.onOnline([&seen, who](const Member& member) {
      seen[who] += "+" + std::to_string(member.index) + "." +
                   std::to_string(member.generation) + " ";
    });
    messenger.onOffline(
        [&seen, who](const Member& member, std::string_view reason) {
          seen[who] += "-" + std::to_string(member.index) + "." +
                       std::to_string(member.generation) + "(" +
                       std::string(reason) + ") ";
        });
  };
  watch(worker(1), 1);
  watch(master(), 0);
  die(2, "killed by SIGKILL");
  fork(2);
  ready(2);
  settle();
  const std::string expected = "-2.1(killed by SIGKILL) +2.2 ";
  EXPECT_EQ(seen[1], expected);
  EXPECT_EQ(seen[0], expected);
}

TEST_F(MailboxTest, C06_EveryProcessKnowsTheOthersAlsoOneThatCameLater) {
  open(2);
  fork(3);
  fork(4);
  die(1);
  ready(3);
  settle();
  for (const unsigned who : {2u, 3u, 4u}) {
    const auto members = worker(who).members();
    ASSERT_EQ(members.size(), 2u) << who;
    EXPECT_EQ(members[0].pid, worker(2).self().pid);
    EXPECT_EQ(members[1].pid, worker(3).self().pid);
    EXPECT_EQ(worker(who).workers(), kWorkers);
  }
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

TEST_F(MailboxTest, C17_ADispatcherDecidesWhereALetterGoes) {
  open(3);
  std::map<unsigned, Heard> heard;
  for (unsigned i = 1; i <= 3; ++i) listen(worker(i), "e", heard[i]);
  listen(master(), "e", heard[0]);
  master().setDispatcher([](const Letter& letter) -> Route {
    if (letter.data == "nobody") return {Route::To::kNobody};
    if (letter.data == "two") return {Route::To::kIndex, 2};
    if (letter.data == "all") return {Route::To::kWorkers};
    return {};
  });
  for (const char* data : {"nobody", "two", "all", "here"}) {
    worker(1).send(0, "e", data);
  }
  settle();
  settle();
  EXPECT_EQ(heard[0].data, (std::vector<std::string>{"here"}));
  EXPECT_EQ(heard[1].data, (std::vector<std::string>{"all"}));
  EXPECT_EQ(heard[2].data, (std::vector<std::string>{"two", "all"}));
  EXPECT_EQ(heard[3].data, (std::vector<std::string>{"all"}));
}

// A function is an address in one process: there is no form that takes one.
template <typename What>
constexpr bool kCanBeConsumed = requires(Messenger& messenger, What what) {
  messenger.consume(what);
}
|| requires(Messenger& messenger, What what) {
  messenger.consume("event", what);
};
template <typename What>
constexpr bool kCanBeSent = requires(Messenger& messenger, What what) {
  messenger.send(1, "event", what);
}
|| requires(Messenger& messenger, What what) {
  messenger.broadcast("event", what);
};

TEST_F(MailboxTest, T10_AFunctionDoesNotLeaveItsProcess) {
  using Closure = decltype([captured = 1] { return captured; });
  static_assert(kCanBeConsumed<const char*> && kCanBeSent<std::string>,
                "data are");
  static_assert(!kCanBeConsumed<Closure> && !kCanBeSent<Closure>);
  static_assert(!kCanBeConsumed<std::function<void()>> &&
                !kCanBeSent<std::function<void()>>);
  static_assert(!kCanBeConsumed<void (*)()> && !kCanBeSent<void (*)()>);
  // Instead: every process registers it, and one is asked.
  open(2);
  int ran = 0;
  for (const unsigned index : {1u, 2u}) {
    worker(index).answerWith("task", [&ran](const Letter& task) {
      ++ran;
      return std::string(task.data);
    });
  }
  std::string answer;
  worker(1).consume("task", "data",
                    [&](const Answer& got) { answer = got.value.view(); });
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "data");
  EXPECT_EQ(ran, 1);
}

TEST_F(MailboxTest, C17_AQuestionMayBeSentOnByAWorkersDispatcher) {
  open(2);
  worker(1).setDispatcher([](const Letter&) -> Route {
    return {Route::To::kIndex, 0};
  });
  master().answerWith("e", [](const Letter&) { return "the master"; });
  std::string answer;
  worker(2).request(1, "e", "",
                    [&](const Answer& got) { answer = got.value.view(); });
  ASSERT_TRUE(until([&] { return !answer.empty(); }));
  EXPECT_EQ(answer, "the master");
}

TEST_F(MailboxTest, C17_ALetterWithoutAHandlerIsCountedAndReportedOnce) {
  open(1);
  for (int i = 0; i < 3; ++i) master().send(1, "unknown");
  ASSERT_TRUE(until([&] { return worker(1).figures().unhandled == 3; }));
  EXPECT_EQ(troubles,
            (std::vector<std::string>{"nobody here listens for 'unknown'"}));
}

TEST_F(MailboxTest, X05_TheLastWordsOfOneThatDiesAreHeardBeforeItsEnd) {
  open(1);
  std::string seen;
  int events = 0;
  master().on("e", [&](const Letter&) { ++events; });
  master().onOffline([&](const Member&, std::string_view) {
    seen = "offline after " + std::to_string(events);
  });
  for (int i = 0; i < 500; ++i) worker(1).send(0, "e", "last words");
  die(1);
  EXPECT_EQ(seen, "offline after 500");
}

}  // namespace
}  // namespace brigade::test
