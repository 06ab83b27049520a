#include "brigade/Events/Coroutine.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace brigade::test {
namespace {

struct Point {
  int x = 0;
  int y = 0;
};

// Alive as long as a coroutine holds it.
using Token = std::shared_ptr<int>;

class CoroutineTest : public ::testing::Test {
 protected:
  using Callback = std::function<void(int, int)>;

  // Something that answers by a callback, when the test says so.
  auto point(std::string_view name) {
    return awaited<Point>([this, name](Callback done) {
      if (name == "refuse") throw std::runtime_error("refused");
      names.emplace_back(name);
      callbacks.push_back(std::move(done));
    });
  }
  // Callbacks run one by one, as in a loop: none of them inside another.
  void answer(int x, int y) {
    for (const Callback& callback : std::exchange(callbacks, {})) {
      callback(x, y);
    }
  }

  Coroutine add(Token token, int waits) {
    ++*token;
    for (int i = 0; i < waits; ++i) {
      const auto [x, y] = co_await point("point " + std::string(100, 'x'));
      sum += x + y;
    }
    said += "end ";
  }
  Coroutine fail(Token token, int waits) {
    ++*token;
    for (int i = 0; i < waits; ++i) co_await point("p");
    throw std::runtime_error("boom");
  }
  Coroutine ask(Token token, std::string name) {
    ++*token;
    try {
      co_await point(name);
    } catch (const std::runtime_error& e) {
      said += e.what();
    }
    co_await point("another");
    said += " and on";
  }
  Coroutine clearAndGoOn(Token token) {
    co_await point("p");
    callbacks.clear();
    ++*token;
  }
  Coroutine count([[maybe_unused]] Token token, int number) {
    for (int i = 0; i < 3; ++i) {
      const Point got = co_await point("p");
      sum += got.x == number + i ? 1 : 0;
    }
  }

  std::vector<Callback> callbacks;
  std::vector<std::string> names;
  int sum = 0;
  std::string said;
};

TEST_F(CoroutineTest, T11_ItRunsToItsFirstWaitAtOnce) {
  const Token token = std::make_shared<int>();
  add(token, 1).start();
  EXPECT_EQ(*token, 1);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(names[0], "point " + std::string(100, 'x'));
  EXPECT_EQ(said, "");
}

TEST_F(CoroutineTest, T11_ItGoesOnWithWhatTheCallbackIsGivenUntilItsEnd) {
  const Token token = std::make_shared<int>();
  add(token, 3).start();
  answer(1, 2);
  answer(10, 20);
  EXPECT_EQ(said, "");
  EXPECT_EQ(token.use_count(), 2);
  answer(100, 200);
  EXPECT_EQ(sum, 333);
  EXPECT_EQ(said, "end ");
  EXPECT_EQ(token.use_count(), 1) << "what it held is gone with it";
}

TEST_F(CoroutineTest, OneThatWaitsForNothingEndsInsideStart) {
  const Token token = std::make_shared<int>();
  add(token, 0).start();
  EXPECT_EQ(said, "end ");
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(CoroutineTest, OneThatIsNotStartedDoesNothingAndKeepsNothing) {
  const Token token = std::make_shared<int>();
  {
    Coroutine first = add(token, 1);
    const Coroutine second = std::move(first);
    EXPECT_FALSE(std::is_copy_constructible_v<Coroutine>);
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(*token, 0);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(CoroutineTest, ACallbackThatGoesUncalledTakesItAlong) {
  const Token token = std::make_shared<int>();
  add(token, 2).start();
  answer(1, 1);
  EXPECT_EQ(token.use_count(), 2);
  callbacks.clear();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(said, "");
}

TEST_F(CoroutineTest, CopiesOfACallbackShareIt) {
  const Token token = std::make_shared<int>();
  add(token, 1).start();
  const Callback copy = callbacks.front();
  callbacks.clear();
  EXPECT_EQ(token.use_count(), 2);
  copy(3, 4);
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(said, "end ");
}

// As with a question that is answered: nobody keeps the callback meanwhile.
TEST_F(CoroutineTest, ItOutlivesTheCallbackThatIsDestroyedUnderIt) {
  const Token token = std::make_shared<int>();
  clearAndGoOn(token).start();
  callbacks.front()(1, 1);
  EXPECT_EQ(*token, 1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(CoroutineTest, T22_AnExceptionBeforeTheFirstWaitLeavesStart) {
  const Token token = std::make_shared<int>();
  EXPECT_THROW(fail(token, 0).start(), std::runtime_error);
  EXPECT_EQ(*token, 1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(CoroutineTest, T22_AnExceptionBehindAWaitLeavesTheCallback) {
  for (const int waits : {1, 3}) {
    const Token token = std::make_shared<int>();
    fail(token, waits).start();
    for (int i = 1; i < waits; ++i) answer(0, 0);
    EXPECT_EQ(token.use_count(), 2);
    EXPECT_THROW(answer(0, 0), std::runtime_error);
    EXPECT_EQ(token.use_count(), 1) << waits;
    EXPECT_TRUE(callbacks.empty());
  }
}

TEST_F(CoroutineTest, T22_WhatAskingThrowsIsThrownByTheWait) {
  const Token token = std::make_shared<int>();
  ask(token, "refuse").start();
  EXPECT_EQ(said, "refused");
  answer(0, 0);
  EXPECT_EQ(said, "refused and on");
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(CoroutineTest, T11_AHundredOfThemDoNotMixTheirResults) {
  const Token token = std::make_shared<int>();
  for (int i = 0; i < 100; ++i) count(token, i).start();
  for (int round = 0; round < 3; ++round) {
    auto asked = std::exchange(callbacks, {});
    ASSERT_EQ(asked.size(), 100u);
    for (int i = 0; i < 100; ++i) asked[static_cast<unsigned>(i)](i + round, 0);
  }
  EXPECT_EQ(sum, 300);
  EXPECT_EQ(token.use_count(), 1);
}

// What asks may hold views of its arguments, which end with the expression.
template <typename Question>
concept CanBeKept = requires(Coroutine::promise_type& promise, Question& kept) {
  promise.await_transform(kept);
};

TEST_F(CoroutineTest, AQuestionCannotBeKeptForLater) {
  EXPECT_FALSE(CanBeKept<decltype(point(""))>);
}

}  // namespace
}  // namespace brigade::test
