#pragma once

// run: the one call in main. It reads the command line and starts the master
// of these Workers in the foreground or as a daemon, or talks to the one that
// is running: start | stop | restart | reload | status | connections | reopen.
// The master raises its own soft RLIMIT_NOFILE to the hard one: it needs three
// descriptors a worker process. Those have the limits it was started with.

#include <vector>

#include "brigade/Worker/RunConfig.h"

namespace brigade {

class Worker;

// Returns main's exit code: 0; 1 for a failure and 2 for a command line that
// makes no sense, both with one line on stderr; 7 when stop, reload or reopen
// find nothing running; status answers as LSB init scripts (0 running, 1 dead
// with a pid file, 3 not running, 4 unknown). The Workers outlive the call.
int run(int argc, char** argv, const std::vector<Worker*>& workers,
        RunConfig config = {});

}  // namespace brigade
