#pragma once

// The log of the program: one write(2) a line to a descriptor opened with
// O_APPEND, so lines of many processes never mix. A line that cannot be written
// (full disk) is lost and counted; logging never blocks or throws.
// Control characters in a text are escaped, lines end after 4 KiB. In UTC:
//   2026-11-21 07:34:14.123Z warning shout worker 3 [812]: text

#include <cstdint>
#include <optional>
#include <string_view>

namespace brigade {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kNone };

// "debug", "info", "warning", "error", "none".
std::optional<LogLevel> parseLogLevel(std::string_view name);
std::string_view toString(LogLevel level);

// To the program's log once run() has opened it, before that to stderr.
void log(LogLevel level, std::string_view text);

}  // namespace brigade
