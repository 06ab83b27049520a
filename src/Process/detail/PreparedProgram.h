#pragma once

// PreparedProgram: a Program with everything looked up that can be wrong, in
// the master before the first fork, and the way to become it.

#include <sys/types.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Privileges.h"
#include "brigade/Process/Program.h"

namespace brigade::detail {

struct PreparedProgram {
  // Throws std::invalid_argument when the settings make no sense, and
  // std::runtime_error when the system has not what they name; opens nothing.
  explicit PreparedProgram(const Program& program);

  // Opens the log file, anew if it is open. Throws std::system_error.
  void openLog();

  // In a process forked for it: becomes the program, with these descriptors
  // as 1, 2 and 3, and no other but 0. `parent` is who has forked it: the
  // program dies with it. `complaints` is kFirstFree at least and
  // close-on-exec. Returns only by an exception: CannotTakeOnUser, or
  // std::system_error that says what failed; `complaints` is open still.
  static constexpr int kFirstFree = 4;
  class CannotTakeOnUser : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
  };
  [[noreturn]] void become(pid_t parent, int output, int errors, int channel,
                           int complaints) const;

  Program settings;
  std::string path;  // absolute
  Identity identity;
  FileDescriptor log;  // of the master and of guards; empty without logFile
};

// Throws std::invalid_argument when two have one name, and what the
// constructor throws.
std::vector<std::unique_ptr<PreparedProgram>> prepare(
    const std::vector<Program>& programs);

// Closes every descriptor of this process from `first` on that is not kept.
void closeAllBut(int first, const std::vector<int>& kept);

}  // namespace brigade::detail
