#pragma once

// Commands: what the command line does with a server that runs already. It
// asks the master over the control socket. Requests and answers, one line each:
//   status                        {"status": {...}}
//   connections                   {"connection": {...}} *
//   stop|reload fast|graceful     {"progress": "worker 2 ready"} *
//   reopen
//   stop-worker|start-worker|restart-worker INDEX
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

// Beside the pid file, whose lock guards it, and named like it: DIR/NAME.sock.
std::string controlSocketPath(const RunConfig& config);

}  // namespace brigade::detail
