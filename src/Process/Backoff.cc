#include "brigade/Process/Backoff.h"

#include <algorithm>

namespace brigade {

Backoff::Duration Backoff::onDeath(Duration served) {
  if (served >= kStable) next_ = Duration::zero();
  const Duration wait = next_;
  next_ = wait == Duration::zero() ? Duration(kFirst)
                                   : std::min<Duration>(2 * wait, kLongest);
  return wait;
}

}  // namespace brigade
