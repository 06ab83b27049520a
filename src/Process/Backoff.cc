#include "brigade/Process/Backoff.h"

#include "brigade/Events/Archive.h"

#include <algorithm>

namespace brigade {
namespace {

// Where nothing else waits: the machine has no process to spare.
constexpr std::chrono::milliseconds kNoForkPause{100};

}  // namespace

Backoff::Duration Backoff::onDeath(Duration served) {
  if (served >= policy_.stable) reset();
  if (served < policy_.stable) ++deaths_;
  return takeNext();
}

Backoff::Duration Backoff::onNoFork() {
  next_ = std::max<Duration>(next_, policy_.first);
  if (next_ == Duration::zero()) next_ = kNoForkPause;
  return takeNext();
}

Backoff::Duration Backoff::takeNext() {
  const Duration wait = next_;
  next_ = wait == Duration::zero()
              ? Duration(policy_.first)
              : std::min<Duration>(2 * wait, policy_.longest);
  return wait;
}

void Backoff::reset() {
  next_ = Duration::zero();
  deaths_ = 0;
}

void Backoff::carry(Archive& archive) { archive(next_, deaths_); }

}  // namespace brigade
