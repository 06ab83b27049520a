#pragma once

// Backoff: how long a slot waits before its next child. The first successor
// comes at once; while children die young each waits twice as long as the one
// before, from `first` up to `longest`. Pure: time is passed in.

#include <chrono>

namespace brigade {

class Archive;

struct BackoffPolicy {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds longest{30000};
  // A child that was ready for so long has not died young.
  std::chrono::milliseconds stable{1000};
  // After so many young deaths in a row there is no next child. 0: always one.
  unsigned giveUpAfter = 0;
};

class Backoff {
 public:
  using Duration = std::chrono::steady_clock::duration;

  explicit Backoff(const BackoffPolicy& policy = {}) : policy_(policy) {}

  // A child has died that was ready for `served` (zero: never). Returns how
  // long to wait.
  Duration onDeath(Duration served);
  // There could be no child: nobody has died of it, and to try again at once
  // would not help. Returns how long to wait, never zero.
  Duration onNoFork();
  // Whether the deaths so far are enough of them.
  bool givesUp() const {
    return policy_.giveUpAfter != 0 && deaths_ >= policy_.giveUpAfter;
  }
  unsigned deaths() const { return deaths_; }  // young ones, in a row
  void reset();

  void carry(Archive& archive);

 private:
  Duration takeNext();

  BackoffPolicy policy_;
  Duration next_ = Duration::zero();
  unsigned deaths_ = 0;
};

}  // namespace brigade
