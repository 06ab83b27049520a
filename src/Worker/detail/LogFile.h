#pragma once

// LogFile: opens and reopens the program's log. Process-wide state, the one
// exception to "no globals": every layer above logs, and a fork copies it.

#include <cstdint>
#include <string>
#include <string_view>

#include "brigade/Worker/Log.h"

namespace brigade::detail {

// Whether a log may be a symbolic link. In a folder of our own nobody has
// reason to plant one.
enum class Links : std::uint8_t { kFollow, kRefuse };

// An empty path means stderr. Throws std::system_error naming the path. What
// holds for links holds for reopenLog() as well.
void openLog(const std::string& path, LogLevel level,
             Links links = Links::kFollow);
// After a rotation: opens the path anew. Keeps the old file and logs why when
// that fails.
void reopenLog();
// The same with a file that another process has opened; copies `descriptor`.
// Does nothing when the log is stderr.
void takeLog(int descriptor);
// Stands in every line of this process: "master", "shout worker 3".
void setLogName(std::string_view name);
int logDescriptor();
// What brigade::log() does.
void writeLog(LogLevel level, std::string_view text);
// Lines lost because they could not be written.
std::uint64_t lostLogLines();

}  // namespace brigade::detail
