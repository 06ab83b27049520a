#pragma once

// MasterDeath: ends a worker process whose master has vanished, even one that
// is stuck in the program's code. The kernel sends SIGPWR when the master dies
// (PR_SET_PDEATHSIG, prctl(2)), and its handler arms alarm(2), whose signal
// ends the process. The only signal handler in brigade. Called again after a
// change of user, which clears the setting.

#include <sys/types.h>

#include <chrono>

namespace brigade {

// In the child. The process is ended `deadline` and a second after the master
// is gone, at once if it is gone already. Throws std::system_error.
void followMaster(pid_t master, std::chrono::seconds deadline);

}  // namespace brigade
