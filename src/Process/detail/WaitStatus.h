#pragma once

// What waitid(2) tells of a process that has ended, as an ExitStatus. Without
// a cause: of that it knows nothing.

#include <signal.h>

#include "brigade/Process/ExitStatus.h"

namespace brigade::detail {

inline ExitStatus statusOf(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.core = info.si_code == CLD_DUMPED;
  }
  return status;
}

}  // namespace brigade::detail
