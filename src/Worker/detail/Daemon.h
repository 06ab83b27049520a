#pragma once

// Daemon: leaves the terminal (daemon(7)): two forks and a new session. The
// first process stays until the daemon says how its start went, so the caller
// of `start -d` sees the exit code and the reason on the terminal.

#include <functional>
#include <string>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::detail {

class Daemon {
 public:
  // Returns in the daemon; the first process waits and exits. stdin becomes
  // /dev/null, stdout and stderr `outputFile` (appended, 0644 less the umask,
  // which is kept). Until ready() or failed(), stderr still is the caller's.
  // The working directory is kept as well.
  // Throws std::system_error naming what failed.
  explicit Daemon(const std::string& outputFile);

  // The first process prints `text`, a line, to its stderr and waits on.
  void progress(std::string_view text);
  // The first process exits with 0.
  void ready();
  // The first process prints `reason` to its stderr and exits with 1. When the
  // daemon dies without either, it says so and exits with 1 as well.
  void failed(std::string_view reason);
  // In a child of the daemon: lets go of the pipe and of the caller's stderr.
  void closeInChild();

 private:
  void switchOutput();

  FileDescriptor output_;
  FileDescriptor pipe_;
};

// ---- What a daemon, and each of its children, does later

// For stdout and stderr, as above. Throws std::system_error naming the file.
FileDescriptor openOutput(const std::string& path);
// They go there from now on; what is buffered leaves before that, so a line
// that was printed whole is not torn. Copies `descriptor`; without one, for
// which there was no room, they stay where they are, and the log says so.
void takeOutput(int descriptor);
// A line that is printed leaves at its end, by one write(2) up to 4 KiB: lines
// of several processes do not mix, and can be read at once.
void printByLine();

}  // namespace brigade::detail
