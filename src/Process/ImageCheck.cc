#include "brigade/Process/ImageCheck.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "brigade/Process/detail/Fork.h"

namespace brigade {
namespace {

// As a shell says that a file cannot be run.
constexpr int kCannotRun = 126;

[[noreturn]] void failed(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string lastLine(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  const auto end = text.rfind('\n');
  return std::string(end == std::string_view::npos ? text
                                                   : text.substr(end + 1));
}

}  // namespace

ImageCheck::ImageCheck(EventInterface& loop, const Launch& launch,
                       Options options, Done done)
    : loop_(loop),
      done_(std::move(done)),
      exit_([this] { ended(); }),
      text_([this] { read(); }) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) failed("cannot make a pipe");
  output_.reset(ends[0]);
  FileDescriptor theirs(ends[1]);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  pid_ = detail::forkProcess([&] {
    loop_.abandonInChild();
    becomeImage(launch, options, std::move(theirs));
    return kCannotRun;
  });
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int error = errno;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    errno = error;
    failed("cannot watch a process");
  }
  loop_.add(pidfd_.get(), Interest::kRead, exit_);
  loop_.add(output_.get(), Interest::kRead, text_);
  deadline_ = loop_.add(options.patience, Repeat::kOnce, [this] {
    tooSlow_ = true;
    ::kill(pid_, SIGKILL);
  });
}

ImageCheck::~ImageCheck() {
  loop_.del(deadline_);
  if (output_) loop_.del(output_.get());
  if (!pidfd_) return;
  loop_.del(pidfd_.get());
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ImageCheck::closeInChild() {
  pidfd_.reset();
  output_.reset();
}

// In the child: returns when that fails.
void ImageCheck::becomeImage(const Launch& launch, const Options& options,
                             FileDescriptor output) {
  if (options.inChild) options.inChild();
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  launch.execute(options.image, options.arguments, options.variable);
  std::fprintf(stderr, "cannot run: %s\n", std::strerror(errno));
}

void ImageCheck::read() {
  char bytes[4096];
  for (;;) {
    const ssize_t n = ::read(output_.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      loop_.del(output_.get());
      output_.reset();
      return;
    }
    const auto room = kMaxOutput - said_.size();
    said_.append(bytes, std::min(static_cast<std::size_t>(n), room));
  }
}

void ImageCheck::ended() {
  int raw = 0;
  const pid_t reaped = ::waitpid(pid_, &raw, WNOHANG);
  if (reaped == 0) return;
  // The program's own code has reaped it: how it ended is lost.
  if (reaped < 0) raw = W_EXITCODE(kCannotRun, 0);
  loop_.del(pidfd_.get());
  pidfd_.reset();
  loop_.del(deadline_);
  if (output_) read();
  ExitStatus status;
  if (WIFEXITED(raw)) status.code = WEXITSTATUS(raw);
  if (WIFSIGNALED(raw)) status.signal = WTERMSIG(raw);
  const Done done = std::move(done_);
  const std::string reason = reasonOf(status);
  const std::string said = std::move(said_);
  done(reason, said);
}

std::string ImageCheck::reasonOf(const ExitStatus& status) const {
  if (tooSlow_) return "it did not end in time";
  if (status.signal == 0 && status.code == 0) return {};
  const std::string said = lastLine(said_);
  return status.toString() + (said.empty() ? "" : ": " + said);
}

}  // namespace brigade
