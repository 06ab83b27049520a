#pragma once

// Backoff: how long a slot waits before its next child. The first successor
// comes at once; while children die young each waits twice as long as the one
// before, from `first` up to `longest`. Pure: time is passed in.

#include <chrono>

namespace brigade {

struct BackoffTimes {
  using Duration = std::chrono::steady_clock::duration;

  Duration first = std::chrono::milliseconds(100);
  Duration longest = std::chrono::seconds(30);
  // A child that was ready for so long has not died young.
  Duration stable = std::chrono::seconds(1);
};

class Backoff {
 public:
  using Duration = BackoffTimes::Duration;

  Backoff() = default;
  explicit Backoff(const BackoffTimes& times) : times_(times) {}

  // A child has died that was ready for `served` (zero: never). Returns how
  // long to wait.
  Duration onDeath(Duration served);

 private:
  BackoffTimes times_;
  Duration next_ = Duration::zero();
};

}  // namespace brigade
