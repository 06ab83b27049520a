#pragma once

// Fork: fork(2) for a process that supervises others.

#include <sys/types.h>

#include <functional>

namespace brigade::detail {

// Runs `main` in a new process, which ends with its result and never returns
// from here; an exception is exit status 1. There every signal is at its
// default and let through, but SIGPIPE and SIGXFSZ are ignored: what cannot be
// written is write(2)'s error. Throws std::runtime_error with the reason:
// fork(2) failed, or this process has more than one thread.
pid_t forkProcess(const std::function<int()>& main);

}  // namespace brigade::detail
