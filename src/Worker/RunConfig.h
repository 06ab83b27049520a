#pragma once

// RunConfig: what a whole program shares, as opposed to one Worker. Given to
// run(); the command line overrides it. Empty strings stand for the defaults
// named here, which run() fills in before anything starts.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "brigade/Process/Backoff.h"
#include "brigade/Process/Program.h"
#include "brigade/Process/ResourceLimit.h"
#include "brigade/Worker/Log.h"

namespace brigade {

struct RunConfig {
  // Of the program, for logs and default file names: argv[0]'s last part.
  std::string name;
  // Of the program, for --version.
  std::string version;
  // TOML: settings of this and of the Workers by their names, and the program's
  // own (docs/configuration.md). It overrides what is set here, and the command
  // line overrides it; --config names another one. Empty: none.
  std::string configFile;
  // Holds pid file, control socket, log and sessions unless they are put
  // elsewhere: /run/NAME for root, else $XDG_RUNTIME_DIR/NAME, else
  // /tmp/brigade-UID/NAME. Made 0755 (0700 below /tmp) when it is not there.
  std::string runDirectory;
  // RUNDIR/NAME.pid, 0600. The control socket lies beside it: DIR/NAME.sock.
  std::string pidFile;
  // In the foreground the log goes to stderr unless a file is given; a daemon
  // logs to RUNDIR/NAME.log.
  std::string logFile;
  // Where a daemon's stdout and stderr go: what the program prints, line by
  // line. brigade itself writes there only what it cannot log. Opened by the
  // master, anew on `reopen` and at no upgrade (a Program without a logFile
  // keeps the one of its start). In the foreground it is not used.
  std::string stdoutFile = "/dev/null";
  LogLevel logLevel = LogLevel::kInfo;
  // Event loop of all workers that name none: see makeEventLoop().
  std::string event = "libev";
  // From the order to stop or drain to SIGKILL.
  std::chrono::milliseconds stopTimeout{8000};
  // From fork to ready; then a worker process counts as failed.
  std::chrono::milliseconds readyTimeout{30000};
  // How long a worker process that died waits for its successor, and when none
  // follows any more: then its slot is `failed`, and the others go on.
  BackoffPolicy backoff = {};
  bool daemonize = false;
  // Of every worker process; a Program has its own.
  std::vector<ResourceLimit> limits;

  // Commands to run under the master. They are started when the worker
  // processes have been forked, and stopped together with them; a reload leaves
  // them alone unless they are reloadable.
  std::vector<Program> programs;
  // In the master, in its loop, so it must not block: a program has sent
  // something. `post` sends to any program; it is good until run() returns.
  std::function<void(const ProgramMessage&, ProgramPost& post)>
      onProgramMessage;
};

}  // namespace brigade
