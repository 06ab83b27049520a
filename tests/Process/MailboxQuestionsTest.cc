#include "brigade/Process/Mailbox.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "tests/Process/support/MailboxFixture.h"

namespace brigade::test {
namespace {

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

// While it lives this process gets no descriptor, so nothing large leaves it.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(MailboxTest, AQuestionThatCannotBeSentIsAnExceptionAndNoAnswer) {
  open(2);
  const std::string large(1 << 20, 'x');
  const auto token = std::make_shared<int>();
  int answers = 0;
  const auto count = [&answers, token](const Answer&) { ++answers; };
  {
    const NoDescriptors none;
    EXPECT_THROW(worker(1).request(2, "e", large, count), std::system_error);
    EXPECT_THROW(worker(1).consume("e", large, count), std::system_error);
  }
  die(2);
  settle();
  EXPECT_EQ(answers, 0);
  EXPECT_EQ(token.use_count(), 2) << "this one's and that of `count`";
}

TEST_F(MailboxTest, C11_RingPassesOverWhomItCannotAsk) {
  open(3);
  std::optional<NoDescriptors> none;
  worker(1).answerWith("sum", [&](const Letter&) {
    none.emplace();
    return std::string(1 << 20, 'x');
  });
  std::optional<Ring> ring;
  worker(1).ring("sum", "0", [&](const Ring& result) { ring = result; });
  ASSERT_TRUE(until([&] { return ring.has_value(); }));
  EXPECT_EQ(ring->contributed, (std::vector<unsigned>{1}));
  EXPECT_EQ(ring->missing, (std::vector<unsigned>{2, 3, 4, 0}));
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

}  // namespace
}  // namespace brigade::test
