#pragma once

// MailboxFixture: the processes of an Office, and what they hear and answer.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/Process/support/Office.h"

namespace brigade::test {

class MailboxTest : public Office {
 protected:
  using Result = Messenger::Result;
  using Status = Answer::Status;
  using Route = Messenger::Route;

  // What a process has heard of an event.
  struct Heard {
    std::vector<std::string> data;
    std::vector<unsigned> from;
    std::vector<unsigned> to;
  };
  void listen(Messenger& messenger, const std::string& event, Heard& heard) {
    messenger.on(event, [&heard](const Letter& letter) {
      heard.data.emplace_back(letter.data);
      heard.from.push_back(letter.from.index);
      heard.to.push_back(letter.to);
    });
  }
  std::vector<Answer> answersOfMap(Messenger& asker, const std::string& event,
                                   Clock::duration patience) {
    std::vector<Answer> result;
    bool done = false;
    asker.map(
        event, "question",
        [&](const std::vector<Answer>& answers) {
          result = answers;
          done = true;
        },
        patience);
    EXPECT_TRUE(until([&] { return done; }));
    return result;
  }
};

}  // namespace brigade::test
