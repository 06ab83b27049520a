#pragma once

// Commands: what the command line does with a server that runs already. It
// asks the master over the control socket. Requests and answers, one line each:
//   status                        {"status": {...}}
//   connections                   {"connection": {...}} *
//   stop|reload fast|graceful     {"progress": "worker 2 ready"} *
//   reopen
// and last {"ok": true} or {"ok": false, "reason": "..."}.

#include <string>

#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/detail/CommandLine.h"

namespace brigade::detail {

// Everything but start; of restart the stop. Returns the exit code. Data goes
// to stdout, progress and errors to stderr. stop returns when the master and
// all workers are gone (its pid file's lock is free); when nothing runs:
// kNotRunning, for status kStatusNotRunning or kStatusDeadWithPidFile.
int runCommand(const Invocation& invocation, const RunConfig& config);

// In the run directory, named like the pid file: RUNDIR/NAME.sock.
std::string controlSocketPath(const RunConfig& config);

}  // namespace brigade::detail
