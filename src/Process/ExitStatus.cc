#include "brigade/Process/ExitStatus.h"

#include <string.h>

namespace brigade {

std::string ExitStatus::toString() const {
  if (signal == 0) return "exit " + std::to_string(code);
  const char* name = ::sigabbrev_np(signal);
  return "killed by " +
         (name == nullptr ? "signal " + std::to_string(signal)
                          : "SIG" + std::string(name)) +
         (core ? " (core dumped)" : "");
}

}  // namespace brigade
