#pragma once

// Scoreboard: what each worker process writes down about itself in memory that
// it shares with the master. A slot keeps its figures over respawns, but for
// those that describe the process itself.

#include "brigade/Connection/ConnectionCounters.h"
#include "brigade/Process/ProcessRecord.h"

namespace brigade::detail {

// Of which one is written by the process that serves.
constexpr unsigned kScoresPerSlot = 2;

struct alignas(64) Score {
  ProcessRecord record;
  ConnectionCounters connections;
  Counter timers;
};

}  // namespace brigade::detail
