#pragma once

// Status: what the master knows of itself and of its worker processes, as
// `status` shows it.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brigade::detail {

struct WorkerStatus {
  unsigned index = 0;  // over the whole program
  unsigned id = 0;     // 1..count within its Worker
  std::string name;
  pid_t pid = 0;
  std::string state;  // starting, ready, busy, draining, stopping, backoff ...
  unsigned generation = 0;
  std::uint64_t memory = 0;  // resident bytes
  std::string address;       // with the real port; empty: no listener
  std::uint64_t connections = 0;
  std::uint64_t accepted = 0;
  std::uint64_t messages = 0;
  std::uint64_t sendFailures = 0;
  std::uint64_t exceptions = 0;
  std::uint64_t protocolErrors = 0;
  std::uint64_t timers = 0;
  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
  double requestsPerSecond = 0;  // since the previous status, or the start
  double uptime = 0;             // seconds
  unsigned restarts = 0;
  double backoff = 0;  // seconds until the next fork
  std::string lastExit;
  std::string forkFailure;  // why it has no process yet, or empty
};

// A command that runs under the master (Program.h).
struct CommandStatus {
  std::string name;
  pid_t pid = 0;
  // starting, running, stopping, stopped (SIGSTOP), backoff, exited, failed
  std::string state;
  std::uint64_t memory = 0;    // resident bytes
  std::uint64_t messages = 0;  // it has sent to the master
  std::uint64_t badMessages = 0;
  double uptime = 0;  // seconds
  unsigned restarts = 0;
  double backoff = 0;  // seconds until the next start
  std::string lastExit;
};

struct ProgramStatus {
  std::string name;
  std::string version;  // of the program, may be empty
  std::string brigadeVersion;
  pid_t pid = 0;      // of the master
  std::string event;  // of the master's configuration
  std::chrono::system_clock::time_point started;
  double uptime = 0;
  double load[3] = {0, 0, 0};  // getloadavg(3)
  std::string runDirectory;
  std::string state;      // RunningStatus
  std::string note;       // what the last reload or upgrade failed of, or empty
  unsigned upgrades = 0;  // to newer code, since the start
  std::vector<WorkerStatus> workers;
  std::vector<CommandStatus> programs;
};

struct ConnectionStatus {
  unsigned worker = 0;  // index
  pid_t pid = 0;
  std::string name;
  std::uint64_t id = 0;  // in its process: others have the same
  std::string protocol;
  std::string remote;
  std::string local;
  std::string state;  // established, paused, closing
  std::uint64_t receiveQueue = 0;
  std::uint64_t sendQueue = 0;
  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
};

// One line of JSON each, as the control socket carries them; field names as
// above. load as an array; started as ISO 8601 in UTC; "totals" holds the sums
// of connections, accepted, messages, sendFailures, exceptions,
// protocolErrors, bytesRead, bytesWritten, requestsPerSecond, memory.
std::string toJson(const ProgramStatus& status);
std::string toJson(const ConnectionStatus& status);

// The way back. What is missing (another version wrote it) keeps its default.
// Throws std::runtime_error when the text is not such an object.
ProgramStatus parseStatus(std::string_view json);
ConnectionStatus parseConnection(std::string_view json);

// The sums over all workers, those of toJson() and of timers and restarts.
WorkerStatus totals(const ProgramStatus& status);

// "2026-11-21T07:34:14Z"
std::string toIso8601(std::chrono::system_clock::time_point time);

// The lines of the control socket (Commands.h), without their line ends.
std::string statusLine(const ProgramStatus& status);
std::string connectionLine(std::string_view connectionJson);
std::string progressLine(std::string_view text);
std::string resultLine(bool ok, std::string_view reason);

// One of those, read again. A line that is none, as another version may send
// it, is kUnknown.
struct AnswerLine {
  enum class Kind { kStatus, kConnection, kProgress, kOk, kFailed, kUnknown };
  Kind kind = Kind::kUnknown;
  std::string text;  // JSON of the object, what progressed, or the reason
};
AnswerLine parseAnswerLine(std::string_view line);

}  // namespace brigade::detail
