#pragma once

// HangWatch: tells a worker process whose loop does not turn from one that
// sleeps, by its Pulse and without a word from it. Whoever looks decides how
// often: a hang is as long as the looks that have seen it. Pure: time and the
// state of the process are passed in.

#include <sys/types.h>

#include <cstdint>
#include <map>

#include "brigade/Events/EventInterface.h"

namespace brigade {

// Whether a process may run, see proc(5).
enum class RunState : std::uint8_t {
  kRuns,     // or could
  kStopped,  // by a signal, as SIGSTOP
  kTraced,   // a debugger holds it
};

class HangWatch {
 public:
  // Returns for how long the process has not turned although it was awake, or
  // has been stopped; zero for one that turns, that sleeps, or that a debugger
  // holds.
  Clock::duration look(unsigned index, pid_t pid, const Pulse& pulse,
                       RunState state, Clock::time_point now);

 private:
  struct Sight {
    pid_t pid;
    std::uint64_t turns;
    Clock::time_point since;
  };
  std::map<unsigned, Sight> stuck_;  // by index, as the last look saw it
};

}  // namespace brigade
