#pragma once

// LogLimit: keeps what may happen very often from filling the log. Ten lines a
// second are written; the others are counted, and the count comes with the
// first line of a later second.

#include <string_view>

#include "brigade/Events/EventInterface.h"
#include "brigade/Worker/Log.h"

namespace brigade::detail {

class LogLimit {
 public:
  static constexpr unsigned kLinesPerSecond = 10;

  void log(Clock::time_point now, LogLevel level, std::string_view text);

 private:
  Clock::time_point window_{};
  unsigned written_ = 0;
  unsigned leftOut_ = 0;
};

}  // namespace brigade::detail
