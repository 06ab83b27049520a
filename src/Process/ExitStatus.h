#pragma once

// ExitStatus: how a process ended, decoded (waitid(2)).

#include <string>

namespace brigade {

struct ExitStatus {
  // The program has waited for the process itself, so nobody can tell any more.
  static constexpr int kUnknown = -1;

  int code = 0;    // of exit(), when signal is 0
  int signal = 0;  // that killed it
  bool core = false;

  bool ok() const { return code == 0 && signal == 0; }
  // "exit 3", "killed by SIGSEGV (core dumped)", "exit status unknown".
  std::string toString() const;
};

}  // namespace brigade
