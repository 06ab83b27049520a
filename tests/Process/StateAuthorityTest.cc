#include "brigade/Process/StateAuthority.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "brigade/Events/ExceptionText.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

using Outcome = SharedState::Outcome;

class StateAuthorityTest : public ::testing::Test {
 protected:
  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  std::vector<std::string> spread;
  std::vector<std::string> exceptions;
  StateAuthority state{
      *loop, [this](std::string_view key) { spread.emplace_back(key); },
      [this](std::string_view where, std::exception_ptr exception) {
        exceptions.push_back(std::string(where) + ": " +
                             exceptionText(std::move(exception)));
      }};
};

TEST_F(StateAuthorityTest, VersionsGrowOverAllChangesOfAllKeys) {
  EXPECT_EQ(state.change("a", "1", {}), std::pair(Outcome::kDone, 1ul));
  EXPECT_EQ(state.change("b", "1", {}), std::pair(Outcome::kDone, 2ul));
  EXPECT_EQ(state.change("a", "2", {}), std::pair(Outcome::kDone, 3ul));
  EXPECT_EQ(state.remove("b", {}), std::pair(Outcome::kDone, 4ul));
  EXPECT_EQ(state.remove("b", {}), std::pair(Outcome::kDone, 0ul));
  EXPECT_EQ(spread, (std::vector<std::string>{"a", "b", "a", "b"}))
      << "what changes nothing is not spread";
}

TEST_F(StateAuthorityTest, HowItStandsWithAKeyIsItsLatest) {
  state.change("a", "1", {});
  EXPECT_FALSE(state.standing("a").gone);
  EXPECT_EQ(state.standing("a").news.value, "1");
  state.remove("a", {});
  EXPECT_TRUE(state.standing("a").gone);
  EXPECT_EQ(state.standing("a").news.version, 2u);
}

TEST_F(StateAuthorityTest, WhatExpiresIsTakenOutAndSpread) {
  state.change("a", "1", {.lifetime = std::chrono::milliseconds(1)});
  state.change("b", "1", {.lifetime = std::chrono::milliseconds(2)});
  state.change("c", "1", {.lifetime = std::chrono::hours(1)});
  // Another value, another life.
  state.change("b", "2", {});
  spread.clear();
  ASSERT_TRUE(runUntil(*loop, [&] { return !spread.empty(); }));
  EXPECT_EQ(spread, (std::vector<std::string>{"a"}));
  EXPECT_EQ(state.table().size(), 2u);
}

TEST_F(StateAuthorityTest, AnExceptionInACallbackIsReportedAndTheNextRuns) {
  int told = 0;
  state.onChange([](std::string_view, const SharedState::Entry*) -> void {
    throw std::runtime_error("boom");
  });
  state.onChange([&](std::string_view, const SharedState::Entry*) { ++told; });
  state.set("a", "1", [](Outcome, std::uint64_t) -> void {
    throw std::runtime_error("bang");
  });
  ASSERT_TRUE(runUntil(*loop, [&] { return exceptions.size() == 2; }));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(exceptions,
            (std::vector<std::string>{"onChange: boom", "an outcome: bang"}));
}

}  // namespace
}  // namespace brigade::test
