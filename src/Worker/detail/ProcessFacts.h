#pragma once

// ProcessFacts: what the kernel tells of a process (proc(5)).

#include <sys/types.h>

#include <cstdint>

#include "brigade/Process/HangWatch.h"

namespace brigade::detail {

struct ProcessFacts {
  char state = '?';            // as in /proc/PID/stat; '?': no such process
  std::uint64_t resident = 0;  // bytes

  RunState runState() const;
};

ProcessFacts factsOf(pid_t pid);
// Of this process; 0 when it is not told.
std::uint64_t residentBytes();

}  // namespace brigade::detail
