#include "brigade/Worker/Log.h"

#include <array>

#include "brigade/Worker/detail/LogFile.h"

namespace brigade {

namespace {

// In the order of LogLevel.
constexpr std::array<std::string_view, 5> kNames = {"debug", "info", "warning",
                                                    "error", "none"};

}  // namespace

std::optional<LogLevel> parseLogLevel(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

std::string_view toString(LogLevel level) {
  return kNames.at(static_cast<std::size_t>(level));
}

void log(LogLevel level, std::string_view text) {
  detail::writeLog(level, text);
}

}  // namespace brigade
