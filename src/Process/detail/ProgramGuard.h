#pragma once

// ProgramGuard: the small process between the master and a program. It is
// forked from the master, and forks the program; what the program starts and
// leaves behind becomes the guard's child (PR_SET_CHILD_SUBREAPER, prctl(2)),
// so nothing can run away from it, and nothing stays when the master is killed.
//
//   master --Channel--> guard --fork, exec--> program --> its own processes
//      `---------------ProgramChannel-----------'
//
// On its Channel it says kReady with the program's PID when execve(2) has gone
// well, kFailed or kFailedForGood with the reason when it has not, and at the
// end of the program kEnded. It is told kStop, and kReopened with a descriptor.
// The end of the Channel, and SIGTERM, are kStop as well.
//
// At kStop, SIGTERM goes to the program's group and to what has left it; past
// the stop time-out SIGKILL to everything. When the program ends unasked, what
// it has left behind is killed at once: the next one finds the place empty.

#include <sys/types.h>

#include <chrono>
#include <optional>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/detail/PreparedProgram.h"

namespace brigade::detail {

namespace guard {
// Not to be tried again: the user or the group could not be taken on.
constexpr auto kFailedForGood = static_cast<FrameKind>(64);
// The payload is an ExitStatus: see formatExit().
constexpr auto kEnded = static_cast<FrameKind>(65);
// Brings the log file, opened anew.
constexpr auto kReopened = static_cast<FrameKind>(66);
}  // namespace guard

// "CODE SIGNAL CORE", three numbers. parse: none when it is something else.
std::string formatExit(const ExitStatus& status);
std::optional<ExitStatus> parseExit(std::string_view text);

struct GuardPlace {
  pid_t master;
  std::chrono::milliseconds stopTimeout;
};

// In a process forked for it, which has nothing else to do. `channel` leads to
// the master, `programChannel` is for the program. The result is the exit
// status of the process.
int guardProgram(PreparedProgram& program, const GuardPlace& place,
                 FileDescriptor channel, FileDescriptor programChannel);

}  // namespace brigade::detail
