// The shared state between real processes: ones that are killed, stopped and
// replaced. What needs none of that is in tests/Process/SharedStateTest.cc.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/MessengerFixture.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

class SharedStateServing : public MessengerFixture {
 protected:
  // What every process, the master too, has of a key.
  bool allHave(unsigned count, const std::string& key,
               const std::string& expected) {
    return eventually([&] {
      for (unsigned i = 1; i <= count; ++i) {
        if (ask(i, "get " + key) != expected) return false;
      }
      return askMaster("get " + key) == expected;
    });
  }
};

TEST_F(SharedStateServing, C13_WhatOneChangesAllHave) {
  start(4);
  ASSERT_EQ(ask(1, "set s A"), "done 1");
  EXPECT_EQ(ask(1, "get s"), "A 1") << "its own copy has it by then";
  EXPECT_EQ(askMaster("get s"), "A 1") << "and the master's";
  EXPECT_TRUE(allHave(4, "s", "A 1"));
  ASSERT_EQ(askMaster("set s B"), "done 2");
  EXPECT_TRUE(allHave(4, "s", "B 2"));
  ASSERT_EQ(ask(3, "erase s"), "done 3");
  EXPECT_TRUE(allHave(4, "s", "none"));
  ASSERT_TRUE(ask(2, "set s C 300").starts_with("done "));
  EXPECT_TRUE(ask(2, "get s").starts_with("C ") || ask(2, "get s") == "none");
  EXPECT_TRUE(allHave(4, "s", "none")) << "its time is over";
}

TEST_F(SharedStateServing, C13_OfFourThatWriteAtOnceAllEndWithTheSame) {
  start(4);
  std::vector<std::unique_ptr<Wire>> clients;
  for (unsigned i = 1; i <= 4; ++i) {
    clients.push_back(std::make_unique<Wire>(portOf(i)));
    ASSERT_TRUE(clients.back()->send("storm k 1000\n"));
  }
  for (const auto& client : clients) {
    EXPECT_TRUE(client->line().value_or("").starts_with("done "));
  }
  const std::string last = askMaster("get k");
  EXPECT_TRUE(contains(last, ".1000 4000")) << last;
  EXPECT_TRUE(allHave(4, "k", last));
}

TEST_F(SharedStateServing, C13_AStoppedWorkerDelaysNobodyAndCatchesUp) {
  start(4);
  const pid_t stopped = killWorker(3, SIGSTOP);
  // More than its socket takes, several times.
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(ask(1, "storm k 1000 1000").starts_with("done "));
  }
  const std::string last = askMaster("get k");
  EXPECT_TRUE(last.starts_with("1.1000.") && last.ends_with(" 10000"));
  EXPECT_TRUE(eventually([&] { return ask(4, "get k") == last; }));
  ASSERT_EQ(::kill(stopped, SIGCONT), 0);
  EXPECT_TRUE(allHave(4, "k", last));
}

TEST_F(SharedStateServing, C14_OneThatComesHasWhatWasAcknowledgedBefore) {
  start(3);
  ASSERT_EQ(ask(1, "set before A"), "done 1");
  ASSERT_EQ(ask(1, "write k"), "writing");
  for (int i = 0; i < 20; ++i) {
    const pid_t old = killWorker(2, SIGKILL);
    const std::string before = ask(1, "acknowledged");
    ASSERT_TRUE(isReplaced(2, old));
    const std::string seen = ask(2, "get k");
    EXPECT_GE(std::stoul(seen), std::stoul(before)) << "after death " << i;
    EXPECT_EQ(ask(2, "get before"), "A 1");
  }
  const std::string written = ask(1, "written");
  // One more may have been on its way.
  std::string last;
  ASSERT_TRUE(eventually([&] {
    last = askMaster("get k");
    return std::stoul(last) >= std::stoul(written) && ask(1, "get k") == last;
  }));
  EXPECT_TRUE(allHave(3, "k", last));
}

}  // namespace
}  // namespace brigade::test
