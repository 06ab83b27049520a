#include "brigade/Worker/detail/Daemon.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "brigade/Worker/Log.h"

namespace brigade::detail {

namespace {

// What goes through the pipe: any number of kProgress, a line, kEnd; then
// kStarted, or kReason, the reason, kEnd. The end is marked, so a child that
// still holds the pipe keeps nobody waiting.
constexpr char kProgress = '=';
constexpr char kStarted = '+';
constexpr char kReason = '-';
constexpr char kEnd = '\0';
// A reason is a line; more than this is no reason.
constexpr std::size_t kMaxReason = 64 * 1024;

constexpr mode_t kOutputMode = 0644;

[[noreturn]] void throwErrno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

FileDescriptor openFile(const std::string& path, int flags) {
  FileDescriptor fd(
      ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, kOutputMode));
  if (!fd) throwErrno("cannot open " + path);
  return fd;
}

// A program may be started without some of them; what is opened next must not
// take their numbers.
void fillStandardDescriptors() {
  FileDescriptor fd;
  do {
    fd.release();
    fd.reset(::open("/dev/null", O_RDWR));
  } while (fd && fd.get() <= STDERR_FILENO);
}

// A socket pair stands for a pipe: writing to one whose reader is gone raises
// no SIGPIPE (MSG_NOSIGNAL, send(2)).
std::pair<FileDescriptor, FileDescriptor> makePipe() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throwErrno("cannot make a pipe to the daemon");
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// To a reader that is gone: it was interrupted, the daemon goes on.
void sendAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void sendText(int fd, char kind, std::string_view text) {
  text = text.substr(0, std::min(text.find(kEnd), kMaxReason));
  sendAll(fd, kind + std::string(text) + kEnd);
}

void complain(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

// kStarted, or kReason and all until kEnd or the end of file. Prints what comes
// before it.
std::string receive(int fd) {
  std::string text;
  char bytes[4096];
  while (text.size() <= kMaxReason + 1) {
    const auto end = text.find(kEnd);
    if (!text.empty() && text[0] == kProgress && end != std::string::npos) {
      complain(text.substr(1, end - 1));
      text.erase(0, end + 1);
      continue;
    }
    if (!text.empty() && (text[0] == kStarted || text.back() == kEnd)) break;
    const ssize_t n = ::read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(bytes, static_cast<std::size_t>(n));
  }
  return text;
}

// _exit: the program's destructors and buffers are the daemon's by now.
[[noreturn]] void waitForDaemon(pid_t child, const FileDescriptor& pipe) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  const std::string text = receive(pipe.get());
  if (!text.empty() && text[0] == kStarted) ::_exit(0);
  const bool told = !text.empty() && text.back() == kEnd;
  const std::string reason = told ? text.substr(1, text.size() - 2)
                                  : "the daemon died before it was ready";
  complain(reason);
  ::_exit(1);
}

// Between the forks: a session leader could get a terminal by opening one, its
// child cannot (setsid(2), open(2) O_NOCTTY).
void leaveSession(const FileDescriptor& pipe) {
  ::setsid();  // cannot fail: a fresh child leads no process group
  const pid_t daemon = ::fork();
  if (daemon == 0) return;
  if (daemon < 0) {
    sendText(
        pipe.get(), kReason,
        "cannot fork the daemon: " + std::generic_category().message(errno));
  }
  ::_exit(daemon < 0 ? 1 : 0);
}

void redirect(int to, int fd) {
  while (::dup2(to, fd) < 0 && errno == EINTR) {
  }
}

}  // namespace

Daemon::Daemon(const std::string& outputFile) {
  // All that may fail comes before the fork, where it can still be thrown.
  fillStandardDescriptors();
  output_ = openOutput(outputFile);
  const FileDescriptor input = openFile("/dev/null", O_RDONLY);
  auto [first, daemon] = makePipe();
  std::fflush(nullptr);  // or both processes would write what is buffered
  const pid_t child = ::fork();
  if (child < 0) throwErrno("cannot fork the daemon");
  if (child > 0) {
    daemon.reset();
    waitForDaemon(child, first);
  }
  first.reset();
  leaveSession(daemon);
  redirect(input.get(), STDIN_FILENO);
  redirect(output_.get(), STDOUT_FILENO);
  pipe_ = std::move(daemon);
}

void Daemon::progress(std::string_view text) {
  if (pipe_) sendText(pipe_.get(), kProgress, text);
}

void Daemon::ready() {
  if (!pipe_) return;
  switchOutput();
  sendAll(pipe_.get(), std::string_view(&kStarted, 1));
  pipe_.reset();
}

void Daemon::failed(std::string_view reason) {
  if (!pipe_) return;
  switchOutput();
  sendText(pipe_.get(), kReason, reason);
  pipe_.reset();
}

void Daemon::closeInChild() {
  if (!pipe_) return;
  switchOutput();
  pipe_.reset();
}

void Daemon::switchOutput() {
  std::fflush(stderr);
  redirect(output_.get(), STDERR_FILENO);
  output_.reset();
}

FileDescriptor openOutput(const std::string& path) {
  // A pipe that nobody reads is an error, and not a reason to wait for ever.
  FileDescriptor fd =
      openFile(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK);
  ::fcntl(fd.get(), F_SETFL, O_APPEND);
  return fd;
}

void takeOutput(int descriptor) {
  if (descriptor < 0) {
    log(LogLevel::kError, "reopen: stdout keeps its file: no descriptor left");
    return;
  }
  std::fflush(nullptr);
  redirect(descriptor, STDOUT_FILENO);
  redirect(descriptor, STDERR_FILENO);
}

void printByLine() { std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); }

}  // namespace brigade::detail
