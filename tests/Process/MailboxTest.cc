#include "brigade/Process/Mailbox.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tests/Process/support/MailboxFixture.h"

namespace brigade::test {
namespace {

TEST_F(MailboxTest, C18_NamesOfBrigadesOwnAndNamesThatAreNoneAreRefused) {
  open(1);
  Messenger& messenger = worker(1);
  EXPECT_THROW(messenger.broadcast("brigade:online", "x"),
               std::invalid_argument);
  EXPECT_THROW(messenger.send(0, ""), std::invalid_argument);
  EXPECT_THROW(messenger.send(0, std::string(256, 'n')), std::invalid_argument);
  Heard heard;
  for (const std::string& name :
       {std::string("a:b"), std::string(200, 'n'), std::string(255, 'n'),
        std::string("na\xc3\xafve \xe2\x9c\x93")}) {
    listen(master(), name, heard);
    EXPECT_EQ(messenger.send(0, name, name), Result::kSent);
  }
  ASSERT_TRUE(until([&] { return heard.data.size() == 4; }));
}

TEST_F(MailboxTest, C07_EveryoneHearsOnceAndInOrderWhoComesAndGoes) {
  open(2);
  std::map<unsigned, std::string> seen;
  const auto watch = [&](Messenger& messenger, unsigned who) {
    messenger.onOnline([&seen, who](const Member& member) {
      std::ostringstream place;
      place << '+' << member.index << '.' << member.generation << ' ';
      seen[who] += place.str();
    });
    messenger.onOffline(
        [&seen, who](const Member& member, std::string_view reason) {
          std::ostringstream place;
          place << '-' << member.index << '.' << member.generation;
          place << '(' << reason << ") ";
          seen[who] += place.str();
        });
  };
  watch(worker(1), 1);
  watch(master(), 0);
  die(2, "killed by SIGKILL");
  fork(2);
  ready(2);
  settle();
  const std::string expected = "-2.1(killed by SIGKILL) +2.2 ";
  EXPECT_EQ(seen[1], expected);
  EXPECT_EQ(seen[0], expected);
}

TEST_F(MailboxTest, C06_EveryProcessKnowsTheOthersAlsoOneThatCameLater) {
  open(2);
  fork(3);
  fork(4);
  die(1);
  ready(3);
  settle();
  for (const unsigned who : {2u, 3u, 4u}) {
    const auto members = worker(who).members();
    ASSERT_EQ(members.size(), 2u) << who;
    EXPECT_EQ(members[0].pid, worker(2).self().pid);
    EXPECT_EQ(members[1].pid, worker(3).self().pid);
    EXPECT_EQ(worker(who).workers(), kWorkers);
  }
}

}  // namespace
}  // namespace brigade::test
