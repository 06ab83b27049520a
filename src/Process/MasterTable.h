#pragma once

// MasterTable: a small map that the master alone has, as a worker process sees
// it. Unlike with SharedState there are no copies: each call asks the master
// and holds this process until it has answered, some tens of microseconds. So
// what one process has written every other one reads from then on, and what was
// written outlives its writer. It lives as long as the master, and is as large
// as SharedState::kMaxBytes at most; limits of keys and values are those, too.
//
// While the master does not answer (a debugger holds it, it is stopped) a call
// waits for kPatience, and those after it fail at once, until it has or kPause
// is over.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "brigade/Process/Channel.h"
#include "brigade/Process/SharedState.h"
#include "brigade/Process/detail/Envelope.h"

namespace brigade {

class MasterTable {
 public:
  static constexpr std::chrono::milliseconds kPatience{1000};
  static constexpr std::chrono::milliseconds kPause{5000};

  using Outcome = SharedState::Outcome;
  using Terms = SharedState::Terms;
  struct Answer {
    // kRefused: no such key, or the condition does not hold. kNoMaster: it is
    // gone, or has not answered; then the change may have been made.
    Outcome outcome = Outcome::kNoMaster;
    // Of the change, or else of the entry; 0 for none.
    std::uint64_t version = 0;
    std::string value = {};  // of get()
  };

  // Both outlive it.
  MasterTable(Channel& channel, detail::Post& post)
      : channel_(channel), post_(post) {}

  // Throw std::length_error as SharedState does.
  Answer get(std::string_view key);
  Answer set(std::string_view key, std::string_view value, const Terms& terms);
  Answer erase(std::string_view key, const Terms& terms = {});

  // An answer that nobody waits for any more.
  void deliver(const detail::Envelope& mail);

 private:
  Answer ask(detail::Op op, std::string_view key, std::string_view value,
             const Terms& terms);

  Channel& channel_;
  detail::Post& post_;
  std::uint64_t asked_ = 0;     // questions so far
  std::uint64_t answered_ = 0;  // the last one that has its answer
  Clock::time_point retry_{};   // when one has none
};

}  // namespace brigade
