#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "brigade/Process/Router.h"
#include "brigade/Process/detail/StateTable.h"
#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using detail::Op;

class RouterStateTest : public Office {
 protected:
  // The worker has been heard, reported once, and has changed nothing.
  void expectThrownAway(unsigned index) {
    int answers = 0;
    worker(index).request(0, "e", "", [&](const Answer&) { ++answers; });
    ASSERT_TRUE(until([&] { return answers == 1; })) << "it is still heard";
    const std::string report = "worker " + std::to_string(index) + ", pid";
    const auto reports = std::count_if(
        troubles.begin(), troubles.end(), [&](const std::string& text) {
          return text.starts_with(report) &&
                 text.find("a change that is none") != std::string::npos;
        });
    EXPECT_EQ(reports, 1) << index;
    for (const char* key : {"k", ""}) {
      EXPECT_EQ(state(0).find(key), nullptr) << index;
    }
  }
};

TEST_F(RouterStateTest, WhatIsNoChangeIsThrownAwayAndReportedOnce) {
  open(2);
  const std::string wish = detail::encodeWish({}, "value");
  for (const Op op : {Op::kStateSet, Op::kStateErase, Op::kTableSet,
                      Op::kTableErase, Op::kTableGet}) {
    forge(1, {.op = op, .name = "k", .data = "short"});
    forge(2, {.op = op, .name = "", .data = wish});
  }
  expectThrownAway(1);
  expectThrownAway(2);
}

TEST_F(RouterStateTest, AValueOverTheLimitIsThrownAwayAndReported) {
  open(1);
  const std::string value(SharedState::kMaxValue + 1, 'v');
  const std::string wish = detail::encodeWish({}, value);
  forge(1, {.op = Op::kStateSet, .name = "k", .data = wish});
  expectThrownAway(1);
}

}  // namespace
}  // namespace brigade::test
