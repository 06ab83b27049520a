#include "brigade/Process/MasterTable.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/Process/support/BusyMaster.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

using Condition = SharedState::Condition;
using Outcome = SharedState::Outcome;

class MasterTableTest : public BusyMaster {};

TEST_F(MasterTableTest, WhatOneWritesEveryOtherReadsFromThenOn) {
  openOwn(2);
  work();
  for (unsigned i = 0; i < 1000; ++i) {
    const std::string value = std::to_string(i);
    const auto written = table(1 + i % 2).set("k", value, {});
    ASSERT_EQ(written.outcome, Outcome::kDone);
    const auto read = table(2 - i % 2).get("k");
    ASSERT_EQ(read.outcome, Outcome::kDone);
    ASSERT_EQ(read.value, value);
    ASSERT_EQ(read.version, written.version);
  }
  EXPECT_EQ(table(1).erase("k").outcome, Outcome::kDone);
  EXPECT_EQ(table(2).get("k").outcome, Outcome::kRefused) << "there is none";
}

TEST_F(MasterTableTest, AConditionThatDoesNotHoldIsRefused) {
  openOwn(1);
  work();
  EXPECT_EQ(table(1).set("k", "x", {.condition = Condition::kPresent}).outcome,
            Outcome::kRefused);
  const auto first = table(1).set("k", "x", {.condition = Condition::kAbsent});
  EXPECT_EQ(first.outcome, Outcome::kDone);
  EXPECT_EQ(table(1).erase("none", {.condition = Condition::kPresent}).outcome,
            Outcome::kRefused);
  EXPECT_EQ(
      table(1)
          .set("k", "y",
               {.condition = Condition::kVersion, .version = first.version + 1})
          .outcome,
      Outcome::kRefused);
  EXPECT_EQ(table(1).get("k").value, "x");
}

TEST_F(MasterTableTest, WhatHasExpiredIsNotRead) {
  openOwn(1);
  work();
  ASSERT_EQ(table(1)
                .set("k", "x", {.lifetime = std::chrono::milliseconds(1)})
                .outcome,
            Outcome::kDone);
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (table(1).get("k").outcome == Outcome::kDone) {
    ASSERT_LT(Clock::now(), deadline);
  }
}

TEST_F(MasterTableTest, TheLargestValueGoesThroughAndMoreThrows) {
  openOwn(1);
  work();
  const std::string largest(SharedState::kMaxValue, 'x');
  ASSERT_EQ(table(1).set("k", largest, {}).outcome, Outcome::kDone);
  EXPECT_EQ(table(1).get("k").value, largest);
  EXPECT_THROW(table(1).set("k", largest + "x", {}), std::length_error);
  EXPECT_THROW(table(1).get(""), std::length_error);
}

TEST_F(MasterTableTest, IsNoPartOfTheSharedState) {
  openOwn(1);
  work();
  ASSERT_EQ(table(1).set("k", "x", {}).outcome, Outcome::kDone);
  rest();
  EXPECT_EQ(state(0).find("k"), nullptr);
  fork(2);
  EXPECT_EQ(state(2).find("k"), nullptr);
}

TEST_F(MasterTableTest, LettersThatComeMeanwhileAreHandledAfterwardsInOrder) {
  openOwn(1);
  std::vector<std::string> heard;
  worker(1).on("e", [&](const Letter& letter) {
    heard.emplace_back(letter.data);
    // From inside a handler, with more letters behind this one.
    if (letter.data == "3") {
      EXPECT_EQ(table(1).set("inside", "x", {}).outcome, Outcome::kDone);
    }
  });
  std::vector<std::string> sent;
  for (int i = 0; i < 200; ++i) {
    sent.push_back(std::to_string(i));
    ASSERT_EQ(master().send(1, "e", sent.back()), Messenger::Result::kSent);
  }
  work();
  EXPECT_EQ(table(1).set("k", "x", {}).outcome, Outcome::kDone);
  EXPECT_TRUE(heard.empty()) << "nothing runs inside the call";
  EXPECT_TRUE(runUntil(loopOf(1), [&] { return heard.size() == sent.size(); }));
  EXPECT_EQ(heard, sent);
}

TEST_F(MasterTableTest, AMasterThatDoesNotAnswerIsWaitedForOnce) {
  openOwn(1);
  const auto begin = Clock::now();
  EXPECT_EQ(table(1).set("k", "x", {}).outcome, Outcome::kNoMaster);
  EXPECT_GE(Clock::now() - begin, MasterTable::kPatience);
  const auto second = Clock::now();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(table(1).get("k").outcome, Outcome::kNoMaster);
  }
  EXPECT_LT(Clock::now() - second, MasterTable::kPatience / 2);
  work();
  EXPECT_TRUE(runUntil(loopOf(1), [&] {
    return table(1).get("k").outcome == Outcome::kDone;
  })) << "it has answered, late, and the change was made";
}

TEST_F(MasterTableTest, WithoutAMasterACallFailsAtOnce) {
  openOwn(1);
  desks.at(1)->toWorker.drain();  // closes it
  const auto begin = Clock::now();
  EXPECT_EQ(table(1).get("k").outcome, Outcome::kNoMaster);
  EXPECT_LT(Clock::now() - begin, MasterTable::kPatience / 2);
}

}  // namespace
}  // namespace brigade::test
