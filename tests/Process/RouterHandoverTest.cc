// Letters and questions while a process hands over to its successor.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

class RouterHandoverTest : public Office {
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

}  // namespace
}  // namespace brigade::test
