#pragma once

// The run directory: where a program keeps its pid file, its control socket and
// its log. Of the master, before anything lies there.

#include <string>

namespace brigade::detail {

// Makes it where it is missing. Throws, and says so, when it cannot be used;
// under /tmp that is also when somebody else may write to it.
void makeRunDirectory(const std::string& runDirectory);

}  // namespace brigade::detail
