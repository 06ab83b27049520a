#include "brigade/Process/WorkerMail.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/Process/support/Office.h"

namespace brigade::test {
namespace {

class WorkerMailTest : public Office {};

TEST_F(WorkerMailTest, MailAndStateComeOverOneChannel) {
  open(1);
  std::string heard;
  worker(1).on("e", [&](const Letter& letter) { heard = letter.data; });
  master().send(1, "e", "a letter");
  state(0).set("k", "v");
  ASSERT_TRUE(until(
      [&] { return heard == "a letter" && state(1).find("k") != nullptr; }));
}

TEST_F(WorkerMailTest, WhatIsNoMailIsReported) {
  open(1);
  desks.at(1)->toWorker.send({FrameKind::kMail, "xyz"});
  ASSERT_TRUE(until([&] { return !troubles.empty(); }));
  EXPECT_EQ(troubles.front(), "the master has sent something that is no mail");
}

TEST_F(WorkerMailTest, WhoDrainsIsNotWrittenToAnyMore) {
  open(2);
  desks.at(2)->mail.drain();
  ASSERT_TRUE(until([&] { return worker(1).members().size() == 1; }));
  EXPECT_EQ(worker(1).send(2, "e"), Messenger::Result::kNobody);
  EXPECT_EQ(worker(2).send(1, "e"), Messenger::Result::kSent);
}

}  // namespace
}  // namespace brigade::test
