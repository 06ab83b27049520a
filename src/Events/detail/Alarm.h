#pragma once

// Alarm: a timerfd(2) set to one moment, the due time of a loop's earliest
// timer. Compared with a time-out for every wait it costs the hot path
// nothing: no clock call before a wait, no kernel timer started and cancelled
// around it, and no rounding to milliseconds. Owned by LoopBase.

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade::detail {

class Alarm {
 public:
  // Throws std::system_error.
  Alarm();

  // Readable from `moment` on, until the next set(); time_point::max() is
  // never. No need to read it.
  void set(Clock::time_point moment);

  int fd() const { return fd_.get(); }
  void closeInChild() { fd_.reset(); }

 private:
  FileDescriptor fd_;
};

}  // namespace brigade::detail
