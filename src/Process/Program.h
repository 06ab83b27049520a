#pragma once

// Program: a command that runs under the master beside the worker processes:
// an indexer, a queue, a script. Started without a shell, in a session and
// process group of its own, stdin from /dev/null; watched, restarted and ended
// with everything it has started, also when the master is killed. The settings
// are read by run(), once.
//
// Its channel. The program inherits one more descriptor, whose number is its
// last argument and $BRIGADE_CHANNEL: an AF_UNIX SOCK_SEQPACKET socket
// (unix(7)) to the master, blocking. One datagram is one message, both ways:
//
//   event, one zero byte, data         printf 'progress\0007 of 9' >&"$fd"
//
// event: 1 to 64 letters, digits, '.', ':', '_' or '-'; data: 0 to 65536 bytes
// of any kind. Anything else closes the channel (OnBadMessage), as does a
// program that sends over maxMessagesPerSecond for five seconds in a row; until
// then it just waits for the rest of the second. A program that has no use for
// the channel closes it, or lets it be.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Process/Backoff.h"
#include "brigade/Process/ResourceLimit.h"
#include "brigade/Process/RestartPolicy.h"

namespace brigade {

// What happens to a program that does not keep to the rules of its channel,
// which is closed.
enum class OnBadMessage : std::uint8_t {
  kCloseChannel,  // it goes on without
  kEndProgram,    // it is ended; its restart policy says what then
};

struct Program {
  // In status and logs, and for ProgramPost; no two have the same.
  std::string name = {};
  // A path, or a name to be found in the master's $PATH, and the arguments. A
  // relative path starts from the master's directory.
  std::vector<std::string> command = {};
  RestartPolicy restart = RestartPolicy::kKeepalive;
  std::string user = {};       // to run as; empty: as the master
  std::string group = {};      // empty: the user's own
  std::string directory = {};  // to run in; empty: the master's
  // "NAME=value", beside the master's own.
  std::vector<std::string> environment = {};
  std::vector<ResourceLimit> limits = {};
  // Gets stdout and stderr: appended, opened by the master, anew on `reopen`.
  // Empty: they go where the master's go.
  std::string logFile = {};
  BackoffPolicy backoff = {};
  // From SIGTERM, which every process of its group gets, to SIGKILL for all
  // that is left. None: that of the whole program (RunConfig).
  std::optional<std::chrono::milliseconds> stopTimeout = {};
  // Whether a reload that has replaced the worker processes stops and starts
  // this as well.
  bool reloadable = false;
  std::size_t maxMessagesPerSecond = 1000;  // to the master; 0: any number
  OnBadMessage onBadMessage = OnBadMessage::kCloseChannel;
};

// From a program, in the master. The views are good until the callback returns.
struct ProgramMessage {
  std::string_view program;  // its name
  pid_t pid;
  std::string_view event;
  std::string_view data;
};

// The way back.
class ProgramPost {
 public:
  static constexpr std::size_t kMaxEvent = 64;
  static constexpr std::size_t kMaxData = 64 * 1024;
  // Bytes that may wait for a program that does not read.
  static constexpr std::size_t kMaxQueue = 1024 * 1024;

  // kFull: not taken, too much waits already. kGone: there is no such program,
  // or it does not run, or its channel is closed.
  enum class Result : std::uint8_t { kSent, kQueued, kFull, kGone };

  // Throws std::length_error over kMaxData, std::invalid_argument when `event`
  // is none.
  virtual Result send(std::string_view program, std::string_view event,
                      std::string_view data) = 0;

 protected:
  ~ProgramPost() = default;
};

}  // namespace brigade
