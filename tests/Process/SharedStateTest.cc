#include "brigade/Process/SharedState.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

using Condition = SharedState::Condition;
using Outcome = SharedState::Outcome;

class SharedStateTest : public Office {
 protected:
  std::string read(unsigned index, std::string_view key) {
    const SharedState::Entry* const entry = state(index).find(key);
    return entry == nullptr ? "(none)" : entry->value;
  }
  // The outcome of a change, when it has come.
  Outcome set(unsigned index, std::string_view key, std::string_view value,
              SharedState::Terms terms = {}) {
    std::optional<Outcome> result;
    state(index).set(key, value, terms,
                     [&](Outcome outcome, std::uint64_t version) {
                       result = outcome;
                       lastVersion = version;
                     });
    EXPECT_FALSE(result) << "never from inside set()";
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    return result.value_or(Outcome::kNoMaster);
  }
  Outcome erase(unsigned index, std::string_view key,
                SharedState::Terms terms = {}) {
    std::optional<Outcome> result;
    state(index).erase(
        key, terms, [&](Outcome outcome, std::uint64_t) { result = outcome; });
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    return result.value_or(Outcome::kNoMaster);
  }
  bool allRead(std::string_view key, const std::string& value) {
    return until([&] {
      bool all = read(0, key) == value;
      for (const auto& [index, desk] : desks) {
        if (!desk->ownLoop) all &= read(index, key) == value;
      }
      return all;
    });
  }

  std::uint64_t lastVersion = 0;
};

TEST_F(SharedStateTest, C13_AChangeIsReadByAllOnceItsOutcomeIsTold) {
  open(4);
  EXPECT_EQ(set(1, "s", "A"), Outcome::kDone);
  EXPECT_EQ(read(1, "s"), "A") << "its own copy has it at once";
  EXPECT_TRUE(allRead("s", "A"));
  EXPECT_EQ(set(0, "s", "B"), Outcome::kDone) << "from the master";
  EXPECT_TRUE(allRead("s", "B"));
  EXPECT_EQ(erase(3, "s"), Outcome::kDone);
  EXPECT_TRUE(allRead("s", "(none)"));
  EXPECT_EQ(erase(3, "s"), Outcome::kDone) << "there is none already";
}

TEST_F(SharedStateTest, AConditionThatDoesNotHoldIsRefused) {
  open(2);
  EXPECT_EQ(set(1, "k", "x", {.condition = Condition::kPresent}),
            Outcome::kRefused);
  EXPECT_EQ(set(1, "k", "x", {.condition = Condition::kAbsent}),
            Outcome::kDone);
  const std::uint64_t first = lastVersion;
  EXPECT_EQ(set(2, "k", "y", {.condition = Condition::kAbsent}),
            Outcome::kRefused);
  EXPECT_EQ(lastVersion, first) << "the version that is there is told";
  EXPECT_EQ(
      set(2, "k", "y", {.condition = Condition::kVersion, .version = first}),
      Outcome::kDone);
  EXPECT_EQ(
      set(1, "k", "z", {.condition = Condition::kVersion, .version = first}),
      Outcome::kRefused);
  EXPECT_TRUE(allRead("k", "y"));
  EXPECT_EQ(erase(1, "k", {.condition = Condition::kVersion, .version = 1}),
            Outcome::kRefused);
  EXPECT_EQ(erase(1, "none", {.condition = Condition::kPresent}),
            Outcome::kRefused);
}

TEST_F(SharedStateTest, C13_OfManyConcurrentWritersAllCopiesEndEqual) {
  open(4);
  int outcomes = 0;
  for (int n = 0; n < 1000; ++n) {
    for (unsigned i = 1; i <= 4; ++i) {
      state(i).set("k", std::to_string(i) + "-" + std::to_string(n),
                   [&](Outcome outcome, std::uint64_t) {
                     EXPECT_EQ(outcome, Outcome::kDone);
                     ++outcomes;
                   });
    }
  }
  ASSERT_TRUE(until([&] { return outcomes == 4000; })) << outcomes;
  const SharedState::Entry* const last = state(0).find("k");
  ASSERT_NE(last, nullptr);
  EXPECT_TRUE(allRead("k", last->value));
  for (unsigned i = 1; i <= 4; ++i) {
    EXPECT_EQ(state(i).find("k")->version, last->version);
  }
}

TEST_F(SharedStateTest, C13_OneThatIsStoppedDelaysNobodyAndCatchesUp) {
  open(2);
  EventInterface& stopped = forkStopped(3);
  const std::string large(20'000, 'x');
  constexpr int kKeys = 100;
  for (int round = 0; round < 10; ++round) {
    for (int key = 0; key < kKeys; ++key) {
      ASSERT_EQ(
          set(1, "k" + std::to_string(key), std::to_string(round) + large),
          Outcome::kDone);
    }
  }
  ASSERT_EQ(erase(1, "k7"), Outcome::kDone);
  EXPECT_TRUE(allRead("k99", "9" + large));
  EXPECT_LT(desks.at(3)->toWorker.queuedBytes(), 1024u * 1024)
      << "20 MB have changed";
  EXPECT_EQ(read(3, "k99"), "(none)");
  ASSERT_TRUE(until([&] {
    turn(stopped);
    return read(3, "k99") == "9" + large;
  }));
  for (int key = 0; key < kKeys; ++key) {
    const std::string name = "k" + std::to_string(key);
    EXPECT_EQ(read(3, name), read(0, name)) << name;
  }
}

TEST_F(SharedStateTest, C14_OneThatComesLaterHasAllAndMissesNothing) {
  open(1);
  ASSERT_EQ(set(1, "old", "x"), Outcome::kDone);
  fork(2);
  EXPECT_EQ(read(2, "old"), "x") << "as it begins";
  ASSERT_EQ(set(1, "new", "y"), Outcome::kDone);
  EXPECT_TRUE(until([&] { return read(2, "new") == "y"; }))
      << "before it is ready";
  die(1);
  fork(1);
  EXPECT_EQ(read(1, "new"), "y");
}

TEST_F(SharedStateTest, WhatHasALifetimeIsGoneWhenItIsOver) {
  open(2);
  ASSERT_EQ(set(1, "short", "x", {.lifetime = std::chrono::milliseconds(20)}),
            Outcome::kDone);
  ASSERT_EQ(set(1, "long", "x", {.lifetime = std::chrono::hours(1)}),
            Outcome::kDone);
  std::vector<std::string> gone;
  state(2).onChange([&](std::string_view key, const SharedState::Entry* entry) {
    if (entry == nullptr) gone.emplace_back(key);
  });
  ASSERT_TRUE(until([&] { return read(2, "short") == "(none)"; }));
  EXPECT_TRUE(gone.empty()) << "each process knows by itself";
  ASSERT_TRUE(until([&] { return gone.size() == 1; }))
      << "and the master tells all";
  EXPECT_EQ(gone.front(), "short");
  EXPECT_TRUE(allRead("long", "x"));
  // A change gives it another lifetime.
  ASSERT_EQ(set(1, "long", "y"), Outcome::kDone);
  EXPECT_EQ(state(2).find("long")->expires, Clock::time_point::max());
}

TEST_F(SharedStateTest, EveryoneIsToldOfEveryChangeAlsoOfItsOwn) {
  open(2);
  std::map<unsigned, std::string> seen;
  for (const unsigned i : {0u, 1u, 2u}) {
    state(i).onChange(
        [&seen, i](std::string_view key, const SharedState::Entry* entry) {
          seen[i] += std::string(key) + "=" +
                     (entry == nullptr ? "-" : entry->value) + " ";
        });
  }
  set(1, "a", "1");
  set(0, "b", "2");
  erase(2, "a");
  ASSERT_TRUE(until([&] {
    return seen[0] == "a=1 b=2 a=- " && seen[1] == seen[0] &&
           seen[2] == seen[0];
  })) << seen[0]
      << seen[1] << seen[2];
}

TEST_F(SharedStateTest, KeysAndValuesHaveTheirLimits) {
  open(1);
  for (const unsigned i : {0u, 1u}) {
    EXPECT_THROW(state(i).set("", "x"), std::length_error);
    EXPECT_THROW(state(i).set(std::string(256, 'k'), "x"), std::length_error);
    EXPECT_THROW(
        state(i).set("k", std::string(SharedState::kMaxValue + 1, 'v')),
        std::length_error);
  }
  EXPECT_EQ(
      set(1, std::string(255, 'k'), std::string(SharedState::kMaxValue, 'v')),
      Outcome::kDone);
}

TEST_F(SharedStateTest, PastItsSizeItTakesNoMoreButWhatReplaces) {
  open(1);
  const std::string value(SharedState::kMaxValue, 'v');
  const auto fits = SharedState::kMaxBytes / (value.size() + 10);
  for (std::size_t i = 0; i < fits; ++i) {
    router.state().set("key" + std::to_string(1'000'000 + i), value);
  }
  EXPECT_EQ(set(1, "one more", value), Outcome::kFull);
  EXPECT_EQ(set(1, "key1000000", value), Outcome::kDone);
  EXPECT_EQ(erase(1, "key1000000"), Outcome::kDone);
  EXPECT_EQ(set(1, "one more", value), Outcome::kDone);
}

TEST_F(SharedStateTest, TooManyChangesOnTheirWayAreRefused) {
  open(1);
  const std::string value(50'000, 'v');
  int full = 0;
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    state(1).set("k", value, [&](Outcome outcome, std::uint64_t) {
      (outcome == Outcome::kFull ? full : done) += 1;
    });
  }
  ASSERT_TRUE(until([&] { return full + done == 200; }));
  EXPECT_GT(full, 0);
  EXPECT_GT(done, 50);
}

Coroutine change(SharedState& state, std::vector<SharedState::Change>& made) {
  made.push_back(co_await state.trySet("k", std::string("A")));
  made.push_back(co_await state.trySet(
      "k", "B", {.condition = Condition::kVersion, .version = 0}));
  made.push_back(co_await state.tryErase("k"));
  made.push_back(
      co_await state.tryErase("k", {.condition = Condition::kPresent}));
}

TEST_F(SharedStateTest, T11_AChangeCanBeAwaited) {
  open(2);
  for (const unsigned who : {0u, 2u}) {
    std::vector<SharedState::Change> made;
    change(state(who), made).start();
    ASSERT_TRUE(until([&] { return made.size() == 4; }));
    EXPECT_EQ(made[0].outcome, Outcome::kDone);
    EXPECT_EQ(made[1].outcome, Outcome::kRefused);
    EXPECT_EQ(made[1].version, made[0].version) << "that of the entry";
    EXPECT_EQ(made[2].outcome, Outcome::kDone);
    EXPECT_GT(made[2].version, made[0].version);
    EXPECT_EQ(made[3].outcome, Outcome::kRefused);
    EXPECT_EQ(read(who, "k"), "(none)");
  }
}

TEST_F(SharedStateTest, ForEachShowsAllByKey) {
  open(1);
  for (const char* key : {"b", "a", "c"}) set(1, key, "x");
  for (const unsigned i : {0u, 1u}) {
    std::string keys;
    state(i).forEach(
        [&](std::string_view key, const SharedState::Entry&) { keys += key; });
    EXPECT_EQ(keys, "abc");
  }
}

}  // namespace
}  // namespace brigade::test
