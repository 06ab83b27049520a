#include "brigade/Worker/detail/Commands.h"

#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "brigade/Process/ControlSocket.h"
#include "brigade/Process/PidFile.h"
#include "brigade/Worker/detail/Printable.h"
#include "brigade/Worker/detail/Status.h"
#include "brigade/Worker/detail/StatusReport.h"

namespace brigade::detail {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Kind = AnswerLine::Kind;

// How long a master that does not answer is given: it never does long work.
constexpr milliseconds kAnswerPatience{5000};
// What the master itself needs on top of the time-outs it keeps.
constexpr milliseconds kMargin{2000};
// Between two looks at a lock that cannot be waited for.
constexpr milliseconds kLookInterval{10};
constexpr int kWatchSeconds = 1;
// Cursor to the top left, clear: console_codes(4).
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

// Everything the master said to one request.
struct Answer {
  std::vector<std::string> objects;  // of status and connections: JSON
  bool ok = false;
  bool refused = false;
  std::error_code error;  // why the master could not be asked
  std::string reason = "the server closed the connection without an answer";
};

milliseconds left(steady_clock::time_point deadline) {
  const auto rest =
      std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  return std::max(rest, milliseconds(0));
}

// SIGINT and SIGTERM wait until they are asked for, while this lives.
class Interruptions {
 public:
  Interruptions() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~Interruptions() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

  // Whether one came within that time.
  bool wait(int seconds) const {
    const timespec patience = {seconds, 0};
    return ::sigtimedwait(&signals_, nullptr, &patience) > 0;
  }

 private:
  sigset_t signals_;
  sigset_t before_;
};

class Client {
 public:
  Client(const Invocation& invocation, const RunConfig& config)
      : invocation_(invocation), config_(config) {}

  int run() {
    switch (invocation_.command) {
      case Command::kStop:
        return stop();
      case Command::kRestart:
        return stop() == kFailure ? kFailure : kSuccess;
      case Command::kReload:
        return replace("reload", "reloaded");
      case Command::kUpgrade:
        return replace("upgrade", "upgraded");
      case Command::kStatus:
        return invocation_.watch ? watchStatus() : showStatus("");
      case Command::kConnections:
        return showConnections();
      case Command::kReopen:
        return reopen();
      case Command::kStopWorker:
        return orderWorker("stop", config_.stopTimeout, "stopped");
      case Command::kStartWorker:
        return orderWorker("start", config_.readyTimeout, "started");
      case Command::kRestartWorker:
        return orderWorker("restart",
                           std::max(config_.readyTimeout, config_.stopTimeout),
                           "restarted");
      case Command::kStart:
        break;
    }
    say("start is not a command to a running server");
    return kFailure;
  }

 private:
  using Holder = PidFile::Holder;

  void say(std::string_view text) const {
    std::fprintf(stderr, "%s: %s\n", config_.name.c_str(),
                 printable(text).c_str());
  }

  Holder look() const { return PidFile::look(config_.pidFile); }

  void sayNotRunning(const Holder& holder) const {
    if (holder.state != PidFile::State::kStale) {
      say("not running (no pid file " + config_.pidFile + ")");
    } else if (holder.pid == 0) {
      say("not running, but pid file " + config_.pidFile +
          " exists (it holds no pid)");
    } else {
      say("not running, but pid file " + config_.pidFile + " exists (pid " +
          std::to_string(holder.pid) +
          " is gone; its worker processes may still be draining)");
    }
  }

  Answer ask(const std::string& request, milliseconds patience) const {
    Answer answer;
    try {
      askControlSocket(
          controlSocketPath(config_), request,
          [&](std::string_view line) { take(parseAnswerLine(line), answer); },
          patience);
    } catch (const std::system_error& error) {
      answer.ok = false;
      answer.error = error.code();
      answer.reason = error.what();
    }
    return answer;
  }

  void take(AnswerLine line, Answer& answer) const {
    switch (line.kind) {
      case Kind::kStatus:
      case Kind::kConnection:
        answer.objects.push_back(std::move(line.text));
        break;
      case Kind::kProgress:
        say(line.text);
        break;
      case Kind::kOk:
        answer.ok = true;
        break;
      case Kind::kFailed:
        answer.refused = true;
        answer.reason = std::move(line.text);
        break;
      case Kind::kUnknown:
        break;  // of a newer server: what counts is its last line
    }
  }

  std::string request(const char* command) const {
    return std::string(command) +
           (invocation_.graceful ? " graceful" : " fast");
  }

  int fail(const Holder& holder, const std::string& what,
           const std::string& reason) const {
    say("cannot " + what + " pid " + std::to_string(holder.pid) + ": " +
        reason);
    return kFailure;
  }

  int stop() const {
    const auto deadline = steady_clock::now() + config_.stopTimeout + kMargin;
    const Holder holder = look();
    if (holder.state != PidFile::State::kRunning) {
      sayNotRunning(holder);
      return kNotRunning;
    }
    say("stopping pid " + std::to_string(holder.pid));
    const Answer answer = ask(request("stop"), left(deadline));
    if (!waitUntilGone(holder, leaveBy(answer, deadline))) {
      return fail(holder, "stop",
                  answer.ok ? "it is still there" : answer.reason);
    }
    say("stopped");
    return kSuccess;
  }

  // Until when a master may be there that gave this answer to stop.
  static steady_clock::time_point leaveBy(const Answer& answer,
                                          steady_clock::time_point deadline) {
    const auto now = steady_clock::now();
    if (answer.ok) return now + kMargin;  // it has nothing left to do
    // Nobody there, or no answer: it may be leaving without being told.
    const bool leaving = !answer.refused &&
                         answer.error != std::errc::timed_out &&
                         answer.error != std::errc::permission_denied;
    return leaving ? std::min(now + kMargin, deadline) : now;
  }

  // The lock goes when the master's process ends. Its pid says less: it may be
  // one of another namespace, and somebody else's here.
  bool waitUntilGone(const Holder& holder,
                     steady_clock::time_point deadline) const {
    for (;;) {
      // Another master may have taken it meanwhile.
      const Holder now = look();
      if (now.state != PidFile::State::kRunning || now.pid != holder.pid) {
        return true;
      }
      if (left(deadline) == milliseconds(0)) return false;
      ::poll(nullptr, 0, static_cast<int>(kLookInterval.count()));
    }
  }

  // Commands that change nothing unless a server runs and agrees.
  int order(const char* what, const std::string& text, milliseconds patience,
            const char* done) const {
    const Holder holder = look();
    if (holder.state != PidFile::State::kRunning) {
      sayNotRunning(holder);
      return kNotRunning;
    }
    const Answer answer = ask(text, patience);
    if (!answer.ok) return fail(holder, what, answer.reason);
    say(done);
    return kSuccess;
  }

  // New processes, or new code as well.
  int replace(const char* command, const char* done) const {
    const auto patience =
        std::max(config_.readyTimeout, config_.stopTimeout) + kMargin;
    return order(command, request(command), patience, done);
  }

  int reopen() const {
    return order("reopen the log of", "reopen", kAnswerPatience,
                 "log reopened");
  }

  int orderWorker(const std::string& verb, milliseconds patience,
                  const std::string& done) const {
    const std::string index = std::to_string(invocation_.worker);
    return order((verb + " worker " + index + " of").c_str(),
                 verb + "-worker " + index, patience + kMargin,
                 ("worker " + index + " " + done).c_str());
  }

  // `before` goes in front of the status, which comes in one piece.
  int showStatus(std::string_view before) const {
    const Holder holder = look();
    if (holder.state != PidFile::State::kRunning) {
      sayNotRunning(holder);
      return holder.state == PidFile::State::kStale ? kStatusDeadWithPidFile
                                                    : kStatusNotRunning;
    }
    const Answer answer = ask("status", kAnswerPatience);
    if (!answer.ok || answer.objects.empty()) {
      fail(holder, "get the status of", answer.reason);
      return kStatusUnknown;
    }
    const std::string& status = answer.objects.front();
    print(std::string(before) +
          (invocation_.json ? status + '\n' : statusTable(status)));
    return kSuccess;
  }

  int watchStatus() const {
    const Interruptions interruptions;
    const bool terminal = !invocation_.json && ::isatty(STDOUT_FILENO) == 1;
    std::string_view before = terminal ? kClearScreen : "";
    for (;;) {
      const int code = showStatus(before);
      if (code != kSuccess || interruptions.wait(kWatchSeconds)) return code;
      if (!terminal && !invocation_.json) before = "\n";
    }
  }

  int showConnections() const {
    const Holder holder = look();
    if (holder.state != PidFile::State::kRunning) {
      sayNotRunning(holder);
      return kNotRunning;
    }
    const Answer answer = ask("connections", kAnswerPatience);
    // Those of the workers that did answer are worth showing.
    print(invocation_.json ? jsonArray(answer.objects)
                           : connectionsTable(answer.objects));
    if (answer.ok) return kSuccess;
    return fail(holder, "get all connections of", answer.reason);
  }

  static std::string jsonArray(const std::vector<std::string>& objects) {
    std::string text = "[";
    for (const std::string& object : objects) {
      text += text.size() == 1 ? "\n" : ",\n";
      text += object;
    }
    return text + "\n]\n";
  }

  // Throws std::system_error: a full disk, a pipe without a reader.
  static void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot write to stdout");
    }
  }

  const Invocation& invocation_;
  const RunConfig& config_;
};

}  // namespace

int runCommand(const Invocation& invocation, const RunConfig& config) try {
  return Client(invocation, config).run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s: %s\n", config.name.c_str(),
               printable(error.what()).c_str());
  return invocation.command == Command::kStatus ? kStatusUnknown : kFailure;
}

std::string controlSocketPath(const RunConfig& config) {
  const std::filesystem::path pidFile = config.pidFile;
  // Never the pid file itself.
  if (pidFile.extension() == ".sock") return config.pidFile + ".sock";
  return std::filesystem::path(pidFile).replace_extension(".sock").string();
}

}  // namespace brigade::detail
