#pragma once

// Programs: keeps the programs (Program.h) of a master alive. It lives in the
// master's loop beside the Supervisor; each program has a guard process of its
// own between it and the master (detail/ProgramGuard). An end is seen by the
// guard's pidfd, whoever holds the program's descriptors.
//
//   kStarting --exec--> kRunning --stop--> kStopping --exit--> kExited
//       | cannot            | exit
//       +-----> kBackoff <--+----------> kExited (kOnce)
//       |           `--delay over: kStarting
//       `-----> kFailed: not the user or group it is to run as; kOnce: at all

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/Program.h"
#include "brigade/Process/detail/Child.h"

namespace brigade {

class Archive;

namespace detail {
struct PreparedProgram;
struct ProgramSlot;
}  // namespace detail

enum class ProgramState : std::uint8_t {
  kStarting,
  kRunning,
  kStopping,
  kBackoff,
  kExited,
  kFailed,
};
std::string_view toString(ProgramState state);

struct ProgramView {
  std::string name;
  pid_t pid;  // 0 while it does not run
  ProgramState state;
  unsigned restarts;        // not by reloads
  Clock::time_point since;  // when it was started
  Clock::duration backoff;  // until the next start; zero unless kBackoff
  std::uint64_t messages;   // from all that have had its name
  std::uint64_t badMessages;
  // "", "exited code 3", "exited signal 9", "cannot start: ..."
  std::string lastExit;
};

// Told what happens, in the master's loop; may call the Programs, and throws
// nothing.
class ProgramHandler {
 public:
  virtual void onProgramStart(const ProgramView& program) = 0;
  virtual void onProgramFailed(const ProgramView& program,
                               std::string_view reason) = 0;
  // `expected`: it was stopped.
  virtual void onProgramExit(const ProgramView& program, pid_t pid,
                             bool expected) = 0;
  virtual void onProgramMessage(const ProgramMessage& message) = 0;
  // Its channel is closed.
  virtual void onProgramBadMessage(const ProgramView& program,
                                   std::string_view reason) = 0;
  // The log file could not be opened anew, and the old one is kept.
  virtual void onProgramLogKept(const ProgramView& program,
                                std::string_view reason) = 0;
  // In a guard, first of all. Every descriptor over 2 is about to be closed.
  virtual void inGuard() = 0;

 protected:
  ~ProgramHandler() = default;
};

class Programs final : public ProgramPost, private detail::ChildHandler {
 public:
  struct Options {
    Clock::duration stopTimeout = std::chrono::seconds(8);
    // From fork to execve(2).
    Clock::duration startTimeout = std::chrono::seconds(30);
    std::string title = {};  // of a guard, for ps(1); the name follows
  };
  using Done = std::function<void()>;

  // Throws what is wrong with the settings: std::invalid_argument when they
  // make no sense, std::runtime_error when the system has not what they name.
  static void check(const std::vector<Program>& programs);

  // The same; opens the log files.
  Programs(EventInterface& loop, ProgramHandler& handler,
           const std::vector<Program>& programs, Options options);
  ~Programs();
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;

  // Forks all. What cannot start is told to the handler, nothing is thrown.
  void start();
  // Ends all; `done` once they are gone, perhaps before this returns.
  void stop(Done done);
  // Stops and starts those that are reloadable and run.
  void reload();
  void reopenLogs();

  // Over execve(2), by which guards stay children. Reading: instead of start(),
  // with programs of the same names.
  void carry(Archive& archive);

  Result send(std::string_view program, std::string_view event,
              std::string_view data) override;

  std::vector<ProgramView> views() const;
  // Whether the process is a guard, a child of this process.
  bool owns(pid_t pid) const;

  // In another child: closes the copies of what this holds.
  void closeInChild();

 private:
  using Slot = detail::ProgramSlot;

  void onChildFrame(detail::Child& child, const Frame& frame) override;
  void onChildExit(detail::Child& child, ExitStatus status) override;

  void launch(Slot& slot);
  void fork(Slot& slot);
  int runGuard(Slot& slot, pid_t master, FileDescriptor channel,
               FileDescriptor program);
  void startLater(Slot& slot, Clock::duration served);
  void startAt(Slot& slot);
  void carrySlot(Archive& archive, Slot& slot);
  void carryGuard(Archive& archive, Slot& slot);
  void openChannel(Slot& slot);
  void onStarted(Slot& slot, std::string_view pid);
  void onBadMessage(Slot& slot, std::string_view reason);
  void onEnd(Slot& slot, pid_t pid, Clock::duration served, bool expected);
  void onFailed(Slot& slot, const std::string& reason);
  void end(Slot& slot);
  void checkStopped();
  Slot& slotOf(const detail::Child& child);
  Clock::duration stopTimeoutOf(const Slot& slot) const;
  void bury(std::unique_ptr<detail::Child> child);

  EventInterface& loop_;
  ProgramHandler& handler_;
  Options options_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::unique_ptr<detail::Child>> buried_;
  bool stopping_ = false;
  Done stopDone_;
};

}  // namespace brigade
