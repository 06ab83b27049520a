#pragma once

// ProcessRecord: what the master can see of a worker process without asking
// it. One a slot, in memory shared before the fork (SharedMemory); the worker
// writes plain stores, the master reads, so a stuck worker still shows. It
// keeps the slot's figures over respawns.

#include "brigade/Events/EventInterface.h"

namespace brigade {

struct alignas(64) ProcessRecord {
  Pulse pulse;
};

}  // namespace brigade
