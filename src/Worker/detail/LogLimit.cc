#include "brigade/Worker/detail/LogLimit.h"

#include <chrono>
#include <string>

namespace brigade::detail {

void LogLimit::log(Clock::time_point now, LogLevel level,
                   std::string_view text) {
  if (now - window_ >= std::chrono::seconds(1)) {
    if (leftOut_ > 0) {
      brigade::log(level,
                   std::to_string(leftOut_) + " more lines like this left out");
    }
    window_ = now;
    written_ = leftOut_ = 0;
  }
  if (written_ < kLinesPerSecond) {
    ++written_;
    brigade::log(level, text);
  } else {
    ++leftOut_;
  }
}

}  // namespace brigade::detail
