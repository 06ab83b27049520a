#include "brigade/Process/Messenger.h"

#include <gtest/gtest.h>

namespace brigade::test {
namespace {

// What Messenger itself does (map, ring, answerWith) is tested with the
// processes of MailboxTest.cc.
TEST(Messenger, EveryStatusOfAnAnswerHasItsOwnName) {
  EXPECT_EQ(toString(Answer::Status::kOk), "ok");
  EXPECT_EQ(toString(Answer::Status::kError), "error");
  EXPECT_EQ(toString(Answer::Status::kNoHandler), "no handler");
  EXPECT_EQ(toString(Answer::Status::kDied), "died");
  EXPECT_EQ(toString(Answer::Status::kTimeout), "timeout");
  EXPECT_EQ(toString(Answer::Status::kRefused), "refused");
}

}  // namespace
}  // namespace brigade::test
