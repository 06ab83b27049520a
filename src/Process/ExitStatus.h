#pragma once

// ExitStatus: how a process ended, decoded (waitid(2)).

#include <string>

namespace brigade {

struct ExitStatus {
  int code = 0;    // of exit(), when signal is 0
  int signal = 0;  // that killed it
  bool core = false;

  // "exit 3", "killed by SIGSEGV (core dumped)".
  std::string toString() const;
};

}  // namespace brigade
