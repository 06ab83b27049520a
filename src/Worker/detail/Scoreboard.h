#pragma once

// Scoreboard: what each worker process writes down about itself in memory that
// it shares with the master. A slot keeps its figures over respawns, but for
// those that describe the process itself.

#include "brigade/Connection/ConnectionCounters.h"
#include "brigade/Process/ProcessRecord.h"
#include "brigade/Process/Supervisor.h"

namespace brigade::detail {

// One for each process that a slot may have at the same time.
constexpr unsigned kScoresPerSlot = kSeats;

struct alignas(64) Score {
  ProcessRecord record;
  ConnectionCounters connections;
  Counter timers;
};

}  // namespace brigade::detail
