#pragma once

// The run directory: where a program keeps its pid file, its control socket and
// its log. Of the master, before anything lies there; the checks make nothing,
// so that `start --check` may ask them as well.

#include <string>

namespace brigade::detail {

// Makes it where it is missing. Throws, and says so, when it cannot be used;
// under /tmp that is also when somebody else may write to it.
void makeRunDirectory(const std::string& runDirectory);

// Throws what that would, as far as it can be told before.
void checkRunDirectory(const std::string& runDirectory);

// Throws std::system_error, "cannot open WHAT PATH: No such file or directory",
// when nothing can be written there. The run directory may have to be made yet.
void checkFile(const std::string& what, const std::string& path,
               const std::string& runDirectory);

}  // namespace brigade::detail
