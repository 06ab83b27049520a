#include "brigade/Process/Messenger.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using Status = Answer::Status;
using std::chrono::milliseconds;

// What Messenger itself does by callbacks (map, ring, answerWith) is tested
// with the processes of MailboxTest.cc.
TEST(Messenger, EveryStatusOfAnAnswerHasItsOwnName) {
  EXPECT_EQ(toString(Answer::Status::kOk), "ok");
  EXPECT_EQ(toString(Answer::Status::kError), "error");
  EXPECT_EQ(toString(Answer::Status::kNoHandler), "no handler");
  EXPECT_EQ(toString(Answer::Status::kDied), "died");
  EXPECT_EQ(toString(Answer::Status::kTimeout), "timeout");
  EXPECT_EQ(toString(Answer::Status::kRefused), "refused");
}

// Alive as long as a coroutine holds it.
using Token = std::shared_ptr<int>;

// Says so when it goes.
class Farewell {
 public:
  explicit Farewell(Messenger& messenger) : messenger_(messenger) {}
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
  ~Farewell() { messenger_.send(0, "farewell"); }

 private:
  Messenger& messenger_;
};

class MessengerCoroutineTest : public Office {
 protected:
  auto sleep(milliseconds time) {
    return awaited<Elapsed>([this, time](EventInterface::Callback done) {
      loop->add(time, Repeat::kOnce, std::move(done));
    });
  }
  // "INDEX:VALUE" or "INDEX STATUS" of each.
  static std::string toText(const std::vector<Answer>& answers) {
    std::string text;
    for (const Answer& answer : answers) {
      text += std::to_string(answer.from.index);
      text += answer.status == Status::kOk ? ":" : " ";
      text += answer.status == Status::kOk ? answer.value.view()
                                           : toString(answer.status);
      text += ' ';
    }
    return text;
  }
  void answerNumbers(unsigned count) {
    for (unsigned i = 1; i <= count; ++i) {
      worker(i).answerWith("e", [i](const Letter& letter) {
        return std::string(letter.data) + std::to_string(i);
      });
    }
  }

  Coroutine map(Messenger& messenger, std::string data) {
    said = toText(co_await messenger.map("e", data + "-"));
  }
  Coroutine ask(Messenger& messenger) {
    const Member third = messenger.members().at(2);
    std::vector<Answer> answers;
    answers.push_back(co_await messenger.request(2, "e", "a"));
    answers.push_back(co_await messenger.request(third, "e", "b"));
    answers.push_back(co_await messenger.request(9, "nothing"));
    answers.push_back(co_await messenger.consume(
        "e", "c", Messenger::Delivery::kAtLeastOnce));
    said = toText(answers);
    const Ring ring = co_await messenger.ring("e", "0");
    said += ring.value + " without " + std::to_string(ring.missing.size());
  }
  Coroutine answerSlowly(std::string data, unsigned index, Reply reply) {
    co_await sleep(milliseconds((data.size() * index) % 7));
    reply.send(data + std::to_string(index));
  }
  Coroutine check(std::string data) {
    const auto answers = co_await worker(1).map("e", data);
    bool all = answers.size() == 4;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      all &= answers[i].value.view() == data + std::to_string(i + 1);
    }
    right += all ? 1 : 0;
  }
  Coroutine fail(Messenger& messenger, bool& failed) {
    co_await messenger.request(2, "e");
    failed = true;
    throw std::runtime_error("boom");
  }
  Coroutine failToAsk(Messenger& messenger) {
    try {
      co_await messenger.request(2, "");
    } catch (const std::invalid_argument& e) {
      said = e.what();
    }
  }
  Coroutine wait(Messenger& messenger, [[maybe_unused]] Token token) {
    const Farewell farewell(messenger);
    const Answer answer =
        co_await messenger.request(2, "e", {}, std::chrono::hours(1));
    said = toText({answer});
  }
  Coroutine answerNever(Messenger& messenger, Reply reply) {
    co_await messenger.request(2, "e");
    reply.send("too late");
  }

  std::string said;
  int right = 0;
};

TEST_F(MessengerCoroutineTest,
       T11_AnAwaitedMapHasOneAnswerOfEveryWorkerByIndex) {
  open(4);
  answerNumbers(4);
  for (Messenger* asker : {&worker(3), &master()}) {
    said.clear();
    map(*asker, "x").start();
    EXPECT_EQ(said, "") << "never from inside the call";
    ASSERT_TRUE(until([&] { return !said.empty(); }));
    EXPECT_EQ(said, "1:x-1 2:x-2 3:x-3 4:x-4 ");
  }
}

TEST_F(MessengerCoroutineTest, T11_EveryQuestionCanBeAwaited) {
  open(4);
  answerNumbers(4);
  ask(worker(1)).start();
  ASSERT_TRUE(until([&] { return said.ends_with(" without 1"); })) << said;
  EXPECT_TRUE(said.starts_with("2:a2 3:b3 0 no handler ")) << said;
  EXPECT_NE(said.find(":c"), std::string::npos) << said;
  EXPECT_TRUE(said.ends_with(" 01234 without 1")) << said;
}

TEST_F(MessengerCoroutineTest, T11_AHundredAwaitedMapsInFlightDoNotMix) {
  open(4);
  for (unsigned i = 1; i <= 4; ++i) {
    worker(i).answer("e", [this, i](const Letter& letter, const Reply& reply) {
      answerSlowly(std::string(letter.data), i, reply).start();
    });
  }
  for (std::size_t n = 0; n < 100; ++n) check(std::string(n, 'x')).start();
  EXPECT_TRUE(until([&] { return right == 100; })) << right;
}

TEST_F(MessengerCoroutineTest, T12_AnAwaitedAnswerSaysHowItsProcessEnded) {
  open(2);
  worker(2).answer("e", [this, kept = std::make_shared<std::vector<Reply>>()](
                            const Letter&, const Reply& reply) {
    kept->push_back(reply);
    loop->defer([this] { die(2, "exit 7"); });
  });
  wait(worker(1), {}).start();
  ASSERT_TRUE(until([&] { return !said.empty(); }));
  EXPECT_EQ(said, "2 died ");
}

TEST_F(MessengerCoroutineTest,
       T22_AnExceptionBehindAWaitIsReportedAsAnAnswers) {
  open(2);
  answerNumbers(2);
  bool failed = false;
  fail(worker(1), failed).start();
  ASSERT_TRUE(until([&] { return failed; }));
  EXPECT_EQ(exceptions, std::vector<std::string>{"an answer: boom"});
}

TEST_F(MessengerCoroutineTest,
       T22_WhatAQuestionThrowsIsThrownWhereItIsAwaited) {
  open(1);
  failToAsk(worker(1)).start();
  EXPECT_EQ(said, "the name of an event has 1 to 255 bytes, not 0");
}

TEST_F(MessengerCoroutineTest, T11_OneThatWaitsEndsWithItsProcess) {
  open(2);
  worker(2).answer(
      "e", [kept = std::make_shared<std::vector<Reply>>()](
               const Letter&, const Reply& reply) { kept->push_back(reply); });
  int farewells = 0;
  master().on("farewell", [&](const Letter&) { ++farewells; });
  const Token token = std::make_shared<int>();
  wait(worker(1), token).start();
  settle();
  EXPECT_EQ(token.use_count(), 2);
  // At the end of a process its destructors may still use the messenger.
  desks.at(1)->mail.forget();
  EXPECT_EQ(token.use_count(), 1);
  ASSERT_TRUE(until([&] { return farewells == 1; }));
  // And without that.
  wait(worker(1), token).start();
  settle();
  EXPECT_EQ(token.use_count(), 2);
  die(1);
  buried.clear();
  EXPECT_EQ(token.use_count(), 1);
  settle();
  EXPECT_EQ(said, "") << "nothing went on";
}

TEST_F(MessengerCoroutineTest, T12_OneThatEndsWithItsProcessHasNotAnswered) {
  open(2);
  worker(2).answer(
      "e", [kept = std::make_shared<std::vector<Reply>>()](
               const Letter&, const Reply& reply) { kept->push_back(reply); });
  worker(1).answer("e", [this](const Letter&, const Reply& reply) {
    answerNever(worker(1), reply).start();
  });
  std::optional<Answer> answer;
  master().request(1, "e", "", [&](const Answer& it) { answer = it; });
  settle();
  EXPECT_FALSE(answer);
  desks.at(1)->mail.forget();
  settle();
  EXPECT_FALSE(answer) << "a task would be given to another worker";
  die(1);
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_EQ(answer->status, Status::kDied);
}

}  // namespace
}  // namespace brigade::test
