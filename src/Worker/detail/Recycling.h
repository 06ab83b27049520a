#pragma once

// Recycling: when a worker process has done enough to be replaced. Asked only
// when it has worked, so an idle process never wakes up for it. Each process
// adds up to a tenth to its limits, by chance: those that start together do not
// end together.

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "brigade/Connection/ConnectionCounters.h"
#include "brigade/Events/EventInterface.h"

namespace brigade::detail {

// 0: none.
struct RecyclingLimits {
  std::uint64_t messages = 0;
  std::uint64_t accepts = 0;
  std::uint64_t memory = 0;  // resident bytes
};

class Recycling {
 public:
  // `counters` count over all processes of the slot: what they say now is
  // where this process begins.
  Recycling(const RecyclingLimits& limits, const ConnectionCounters& counters,
            std::uint32_t chance = std::random_device()());

  bool isOn() const;
  // What the counter of messages says when it is time to ask.
  std::uint64_t messageMark() const;
  // Why it is to be replaced: "has received 1042 messages"; empty: it is not.
  // Looks at its memory four times a second at most.
  std::string due(Clock::time_point now);

 private:
  RecyclingLimits limits_;
  const ConnectionCounters& counters_;
  std::uint64_t firstMessage_;
  std::uint64_t firstAccept_;
  Clock::time_point nextLook_{};
};

}  // namespace brigade::detail
