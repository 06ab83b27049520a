#include "brigade/Process/ExitStatus.h"

#include <string.h>

namespace brigade {
namespace {

std::string decoded(const ExitStatus& status) {
  if (status.signal == 0) return "exit " + std::to_string(status.code);
  const char* name = ::sigabbrev_np(status.signal);
  return "killed by " +
         (name == nullptr ? "signal " + std::to_string(status.signal)
                          : "SIG" + std::string(name)) +
         (status.core ? " (core dumped)" : "");
}

}  // namespace

std::string ExitStatus::toString() const {
  return detail.empty() ? decoded(*this) : detail + " (" + decoded(*this) + ")";
}

}  // namespace brigade
