#include "brigade/Process/Mailbox.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/Process/support/MailboxFixture.h"

namespace brigade::test {
namespace {

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
