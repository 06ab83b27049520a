#pragma once

// CommandLine: what the user typed, parsed. The only home of CLI11.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "brigade/Worker/RunConfig.h"

namespace brigade::detail {

// LSB (Init Script Actions): what the command line answers.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,
  kBadUsage = 2,
  kNotRunning = 7,
  // of status only
  kStatusDeadWithPidFile = 1,
  kStatusNotRunning = 3,
  kStatusUnknown = 4,
};

enum class Command {
  kStart,
  kStop,
  kRestart,
  kReload,
  kUpgrade,
  kStatus,
  kConnections,
  kReopen,
  kStopWorker,
  kStartWorker,
  kRestartWorker
};

struct Invocation {
  Command command = Command::kStart;
  bool daemonize = false;  // -d, of start and restart
  bool check = false;      // --check, of start and restart
  bool graceful = false;   // -g, of stop, restart, reload and upgrade
  bool watch = false;      // --watch, of status
  bool json = false;       // --json, of status and connections
  unsigned worker = 0;     // INDEX, of stop-, start- and restart-worker
  // [NAME=]ADDRESS and [NAME=]N: without a name for the first Worker (that
  // has an address); of start and restart.
  std::vector<std::string> listen;
  std::vector<std::string> workers;
  // Already merged into the config that parse() was given: --config, --event,
  // --run-dir,
  // --pid-file, --log-file, --log-level, --stop-timeout.
};

// The invocation, or the exit code after --help and --version (on stdout) or
// an error (one line on stderr). No command at all is an error that shows the
// usage.
std::variant<Invocation, int> parseCommandLine(int argc, char** argv,
                                               RunConfig& config);

// Fills in what the config leaves empty, from the environment and the user.
void completeConfig(RunConfig& config, const char* argv0);

}  // namespace brigade::detail
