#include "brigade/Process/detail/ProgramGuard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/detail/Fork.h"
#include "brigade/Process/detail/WaitStatus.h"

namespace brigade::detail {
namespace {

// Of a reason why a program cannot start. The first byte says whether for good.
constexpr std::size_t kMaxComplaint = 4096;
constexpr char kForGood = '!';
constexpr char kForNow = '?';

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

Pipe makePipe(int flags) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | flags) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a pipe");
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void writeAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    // A full disk: what a program says is lost rather than the program kept
    // waiting.
    if (n < 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

// Until the end of the pipe, which execve(2) closes.
std::string readAll(int fd) {
  std::string text;
  std::array<char, kMaxComplaint> bytes;
  for (;;) {
    const ssize_t n = ::read(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(bytes.data(), static_cast<std::size_t>(n));
  }
}

// Of this process; those of its children that leave orphans included.
std::vector<pid_t> children() {
  std::vector<pid_t> all;
  std::ifstream file("/proc/thread-self/children");
  for (pid_t each; file >> each;) all.push_back(each);
  return all;
}

class Guard final : private ChannelHandler, private Watcher {
 public:
  Guard(PreparedProgram& program, const GuardPlace& place,
        FileDescriptor channel)
      : program_(program),
        place_(place),
        channel_(*loop_, std::move(channel), *this) {}

  int run(FileDescriptor programChannel) {
    watchSignals();
    if (!start(std::move(programChannel))) return 1;
    loop_->defer([this] { look(); });
    loop_->loop();
    return 0;
  }

 private:
  void watchSignals() {
    // The master decides for all.
    for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
      ::signal(number, SIG_IGN);
    }
    loop_->add(Signal{SIGCHLD}, [this] { look(); });
    loop_->add(Signal{SIGTERM}, [this] { stop(); });
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    // It may have died before the setting.
    if (::getppid() != place_.master) ::raise(SIGTERM);
  }

  // False: the master has been told why not.
  bool start(FileDescriptor programChannel) try {
    Pipe output;
    if (program_.log) output = makePipe(O_NONBLOCK);
    // Only this end: a program may not expect EAGAIN.
    if (output.write) ::fcntl(output.write.get(), F_SETFL, 0);
    Pipe complaints = makePipe(0);
    pid_ = forkProcess([&] {
      loop_->abandonInChild();
      return runProgram(output.write, programChannel, complaints.write);
    });
    complaints.write.reset();
    const std::string complaint = readAll(complaints.read.get());
    if (!complaint.empty()) {
      ::waitpid(pid_, nullptr, 0);
      channel_.send({complaint[0] == kForGood ? guard::kFailedForGood
                                              : FrameKind::kFailed,
                     std::string_view(complaint).substr(1)});
      return false;
    }
    channel_.send({FrameKind::kReady, std::to_string(pid_)});
    if (output.read) {
      output_ = std::move(output.read);
      loop_->add(output_.get(), Interest::kRead, *this);
    }
    return true;
  } catch (const std::exception& e) {
    channel_.send({FrameKind::kFailed, e.what()});
    return false;
  }

  // In the program's process.
  int runProgram(const FileDescriptor& output, const FileDescriptor& channel,
                 const FileDescriptor& complaints) {
    const FileDescriptor complain(::fcntl(complaints.get(), F_DUPFD_CLOEXEC,
                                          PreparedProgram::kFirstFree));
    std::string complaint;
    try {
      const int out = output ? output.get() : STDOUT_FILENO;
      const int err = output ? output.get() : STDERR_FILENO;
      program_.become(self_, out, err, channel.get(), complain.get());
    } catch (const PreparedProgram::CannotTakeOnUser& e) {
      complaint = kForGood + std::string(e.what());
    } catch (...) {
      complaint = kForNow + exceptionText(std::current_exception());
    }
    writeAll(complain.get(), complaint.substr(0, kMaxComplaint));
    return 127;
  }

  void onFrame(const Frame& frame) override {
    if (frame.kind == FrameKind::kStop) {
      stop();
    } else if (frame.kind == guard::kReopened && frame.descriptor >= 0) {
      FileDescriptor next(::fcntl(frame.descriptor, F_DUPFD_CLOEXEC, 0));
      if (next) program_.log = std::move(next);
    }
  }
  void onChannelClosed() override { stop(); }

  // What the program prints.
  void onReady(Ready) override { copyOutput(); }
  void copyOutput() {
    std::array<char, 64 * 1024> bytes;
    const ssize_t n = ::read(output_.get(), bytes.data(), bytes.size());
    if (n > 0) {
      writeAll(program_.log.get(), {bytes.data(), static_cast<std::size_t>(n)});
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      closeOutput();
    }
  }
  void copyLastOutput() {
    // More than a pipe holds is written by somebody who has survived SIGKILL.
    for (int i = 0; i < 32 && output_; ++i) copyOutput();
    closeOutput();
  }
  void closeOutput() {
    if (!output_) return;
    loop_->del(output_.get());
    output_.reset();
  }

  // ---- The end

  // It is not reaped before all is over, so its PID, which is its group's too,
  // stays its own.
  bool hasEnded() {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info,
                 WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
      return false;
    }
    status_ = statusOf(info);
    return true;
  }

  // Children of this process other than the program; the dead ones are reaped.
  std::vector<pid_t> others() {
    std::vector<pid_t> living;
    for (const pid_t pid : children()) {
      if (pid == pid_) continue;
      siginfo_t info{};
      const auto id = static_cast<id_t>(pid);
      if (::waitid(P_PID, id, &info, WEXITED | WNOHANG) == 0 &&
          info.si_pid == 0) {
        living.push_back(pid);
      }
    }
    return living;
  }

  void look() {
    if (over_) return;
    const bool ended = hasEnded();
    const std::vector<pid_t> left = others();
    if (!ended) return;
    if (left.empty()) {
      finish();
    } else if (stopping_) {
      for (const pid_t pid : left) {
        if (told_.insert(pid).second) ::kill(pid, SIGTERM);
      }
    } else {
      killAll();
    }
  }

  void stop() {
    if (over_ || std::exchange(stopping_, true)) return;
    ::kill(-pid_, SIGTERM);
    // Or a stopped one would not hear it.
    ::kill(-pid_, SIGCONT);
    loop_->add(place_.stopTimeout, Repeat::kOnce, [this] { killAll(); });
    look();
  }

  // Everybody's children become ours as their parents die, until there are
  // none. A child that is not reaped keeps its PID: no stranger is hit.
  void killAll() {
    if (over_) return;
    ::kill(-pid_, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    for (auto left = others(); !left.empty(); left = others()) {
      for (const pid_t pid : left) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
      }
    }
    look();
  }

  void finish() {
    over_ = true;
    // Nobody is left, unless this kernel does not tell who our children are.
    ::kill(-pid_, SIGKILL);
    copyLastOutput();
    ::waitpid(pid_, nullptr, 0);
    channel_.send({guard::kEnded, formatExit(status_)});
    loop_->stop();
  }

  PreparedProgram& program_;
  GuardPlace place_;
  std::unique_ptr<EventInterface> loop_ = makeEventLoop("epoll");
  Channel channel_;
  pid_t self_ = ::getpid();
  pid_t pid_ = 0;  // of the program
  FileDescriptor output_;
  std::set<pid_t> told_;  // to end, beside the group
  bool stopping_ = false;
  bool over_ = false;
  ExitStatus status_;
};

}  // namespace

std::string formatExit(const ExitStatus& status) {
  return std::to_string(status.code) + ' ' + std::to_string(status.signal) +
         ' ' + (status.core ? '1' : '0');
}

std::optional<ExitStatus> parseExit(std::string_view text) {
  std::istringstream in{std::string(text)};
  ExitStatus status;
  if (in >> status.code >> status.signal >> status.core) return status;
  return {};
}

int guardProgram(PreparedProgram& program, const GuardPlace& place,
                 FileDescriptor channel, FileDescriptor programChannel) {
  // In a session of its own: what ends the master's whole process group leaves
  // somebody to clean up.
  ::setsid();
  closeAllBut(STDERR_FILENO + 1, {channel.get(), programChannel.get(),
                                  program.log ? program.log.get() : -1});
  return Guard(program, place, std::move(channel))
      .run(std::move(programChannel));
}

}  // namespace brigade::detail
