#pragma once

// ExitStatus: how a process ended, decoded (waitid(2)), and what its parent
// knows of the reason.

#include <cstdint>
#include <string>

namespace brigade {

// Why a process ended, where its parent knows more than the kernel tells.
enum class ExitCause : std::uint8_t {
  kUnknown,      // by itself, or by somebody else's signal
  kNotStarted,   // before it was ready, or it was not ready in time
  kException,    // it drained after an exception (AfterException::kDrain)
  kStopTimeout,  // told to end, it did not in time
  kHung,         // its loop did not turn any more (hangTimeout)
};

struct ExitStatus {
  int code = 0;    // of exit(), when signal is 0
  int signal = 0;  // that killed it
  bool core = false;
  ExitCause cause = ExitCause::kUnknown;
  std::string detail = {};  // the cause, for people; empty: kUnknown

  // "exit 3", "killed by SIGSEGV (core dumped)",
  // "hung for 5000 ms (killed by SIGKILL)".
  std::string toString() const;
};

}  // namespace brigade
