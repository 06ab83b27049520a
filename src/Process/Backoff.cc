#include "brigade/Process/Backoff.h"

#include <algorithm>

namespace brigade {

Backoff::Duration Backoff::onDeath(Duration served) {
  if (served >= times_.stable) next_ = Duration::zero();
  const Duration wait = next_;
  next_ = wait == Duration::zero() ? times_.first
                                   : std::min(2 * wait, times_.longest);
  return wait;
}

}  // namespace brigade
