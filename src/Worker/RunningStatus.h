#pragma once

// RunningStatus: what a whole program is at, as its master sees it.
//
//   initial -> starting -> running <-> reloading
//                  `----------+------------`---> shutdown
//
// A reload is refused before `running` and in `shutdown`; one that is asked
// for while reloading is one more round.

#include <cstdint>
#include <string_view>

namespace brigade {

enum class RunningStatus : std::uint8_t {
  kInitial,   // nothing is forked yet
  kStarting,  // until every worker process is ready or has failed once
  kRunning,
  kReloading,
  kShutdown,
};

constexpr std::string_view toString(RunningStatus status) {
  switch (status) {
    case RunningStatus::kInitial:
      return "initial";
    case RunningStatus::kStarting:
      return "starting";
    case RunningStatus::kRunning:
      return "running";
    case RunningStatus::kReloading:
      return "reloading";
    case RunningStatus::kShutdown:
      return "shutdown";
  }
  return "unknown";
}

}  // namespace brigade
