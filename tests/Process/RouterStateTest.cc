#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "brigade/Process/Router.h"
#include "brigade/Process/detail/StateTable.h"
#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using detail::Op;

class RouterStateTest : public Office {
 protected:
  // Whether the master is as it was, and has said of worker 1 what it did.
  void expectThrownAway() {
    int answers = 0;
    worker(1).request(0, "e", "", [&](const Answer&) { ++answers; });
    ASSERT_TRUE(until([&] { return answers == 1; })) << "it is still heard";
    const std::vector<std::string> told = troubles;
    const auto reports =
        std::count_if(told.begin(), told.end(), [](const std::string& text) {
          return text.find("a change that is none") != std::string::npos;
        });
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(state(0).find("k"), nullptr);
    EXPECT_EQ(state(1).find("k"), nullptr);
  }
};

TEST_F(RouterStateTest, WhatIsNoChangeIsThrownAwayAndReportedOnce) {
  open(1);
  const std::string wish = detail::encodeWish({}, "value");
  for (const Op op : {Op::kStateSet, Op::kStateErase, Op::kTableSet,
                      Op::kTableErase, Op::kTableGet}) {
    forge(1, {.op = op, .name = "k", .data = "short"});
    forge(1, {.op = op, .name = "", .data = wish});
  }
  expectThrownAway();
}

TEST_F(RouterStateTest, AValueOverTheLimitIsThrownAwayAndReported) {
  open(1);
  const std::string value(SharedState::kMaxValue + 1, 'v');
  const std::string wish = detail::encodeWish({}, value);
  forge(1, {.op = Op::kStateSet, .name = "k", .data = wish});
  expectThrownAway();
}

}  // namespace
}  // namespace brigade::test
