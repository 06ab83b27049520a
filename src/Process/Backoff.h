#pragma once

// Backoff: how long a slot waits before its next child. The first successor
// comes at once; while children die young each waits twice as long as the one
// before, from 100 ms up to 30 s. Pure: time is passed in.

#include <chrono>

namespace brigade {

class Backoff {
 public:
  using Duration = std::chrono::steady_clock::duration;

  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::seconds kLongest{30};
  // A child that was ready for so long has not died young.
  static constexpr std::chrono::seconds kStable{1};

  // A child has died that was ready for `served` (zero: never). Returns how
  // long to wait.
  Duration onDeath(Duration served);

 private:
  Duration next_ = Duration::zero();
};

}  // namespace brigade
