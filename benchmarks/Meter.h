#pragma once

// Meter: the CPU time that a server process has used, and the clock beside
// it. The total is exact to a microsecond also while the server runs: it is
// the scheduler's own count, read through the process's CPU clock. How it
// splits into user and system time is the kernel's estimate (it looks at
// every tick where the process is), good only over many ticks: a kernel with
// CONFIG_VIRT_CPU_ACCOUNTING_GEN would count that exactly as well.

#include <sys/types.h>

#include <cstdint>

namespace brigade::bench {

struct Usage {
  double wall = 0;    // seconds, of a clock that only goes forward
  double server = 0;  // CPU seconds of the server
  double user = 0;    // the estimated split of them
  double system = 0;
  double client = 0;  // CPU seconds of this process

  Usage operator-(const Usage& earlier) const;
};

class Meter {
 public:
  // 0: no server to measure, its times stay 0. Throws std::system_error when
  // there is no such process.
  explicit Meter(pid_t server);

  // Throws std::system_error when the process is gone.
  Usage read() const;

 private:
  const pid_t server_;
  clockid_t clock_ = 0;
};

}  // namespace brigade::bench
