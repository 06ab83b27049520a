#include "brigade/Process/StateReplica.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

using detail::Envelope;
using detail::Op;
using Outcome = SharedState::Outcome;

// A replica whose master is the test.
class StateReplicaTest : public ::testing::Test, private detail::Post {
 protected:
  Channel::Result post(const Envelope& mail) override {
    if (result == Channel::Result::kSent) asked.push_back(mail.correlation);
    return result;
  }
  void tell(Op op, std::uint64_t correlation, std::string_view key,
            std::uint64_t version, std::string_view value,
            std::uint8_t code = 0) {
    const std::string data =
        detail::encodeNews({version, Clock::time_point::max(), value});
    replica.deliver({.op = op,
                     .code = code,
                     .correlation = correlation,
                     .name = key,
                     .data = data});
  }
  std::string read(std::string_view key) const {
    const SharedState::Entry* const entry = replica.find(key);
    return entry == nullptr ? "(none)" : entry->value;
  }

  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  Channel::Result result = Channel::Result::kSent;
  std::vector<std::uint64_t> asked;
  StateReplica replica{*loop, *this, {}, nullptr};
};

TEST_F(StateReplicaTest, AnOldVersionThatComesLateChangesNothing) {
  replica.set("k", "mine");
  tell(Op::kStateOutcome, asked.at(0), "", 7, "");
  EXPECT_EQ(read("k"), "mine") << "the outcome has come before the news";
  tell(Op::kStateChanged, 0, "k", 5, "older");
  EXPECT_EQ(read("k"), "mine");
  tell(Op::kStateChanged, 0, "k", 9, "newer");
  EXPECT_EQ(read("k"), "newer");
}

TEST_F(StateReplicaTest, WithoutAMasterTheOutcomeSaysSo) {
  result = Channel::Result::kGone;
  std::optional<Outcome> outcome;
  replica.set("k", "v", [&](Outcome said, std::uint64_t) { outcome = said; });
  EXPECT_FALSE(outcome);
  ASSERT_TRUE(runUntil(*loop, [&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome, Outcome::kNoMaster);
  EXPECT_EQ(read("k"), "(none)");
}

TEST_F(StateReplicaTest, ARefusedWishLeavesTheCopyAsItIs) {
  tell(Op::kStateChanged, 0, "k", 3, "there");
  replica.set("k", "mine");
  tell(Op::kStateOutcome, asked.at(0), "", 3, "",
       static_cast<std::uint8_t>(Outcome::kRefused));
  EXPECT_EQ(read("k"), "there");
}

TEST_F(StateReplicaTest, NewsThatAreNoneAndUnknownOutcomesAreOverlooked) {
  replica.deliver({.op = Op::kStateChanged, .name = "k", .data = "short"});
  tell(Op::kStateOutcome, 999, "", 1, "");
  EXPECT_EQ(read("k"), "(none)");
}

}  // namespace
}  // namespace brigade::test
