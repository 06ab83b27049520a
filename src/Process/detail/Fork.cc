#include "brigade/Process/detail/Fork.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace brigade::detail {
namespace {

// A fork copies one thread; locks that others hold would stay locked for ever.
bool isSingleThreaded() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks)) == 1;
}

// Blocks every signal while a fork has not yet told parent from child.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void resetSignals() {
  for (int number = 1; number < NSIG; ++number) {
    // SIGKILL, SIGSTOP and those that glibc keeps refuse; they need none.
    ::signal(number, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void runChild(const std::function<int()>& main) {
  int status = 1;
  try {
    resetSignals();
    status = main();
  } catch (...) {
    // Whoever wrote `main` has said why where it matters; here is nobody to
    // tell.
    status = 1;
  }
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace

pid_t forkProcess(const std::function<int()>& main) {
  if (!isSingleThreaded()) {
    throw std::runtime_error("this process has more than one thread");
  }
  // A child would write the parent's buffered output a second time.
  std::fflush(nullptr);
  const SignalsBlocked blocked;
  const pid_t pid = ::fork();
  if (pid == 0) runChild(main);
  if (pid < 0) {
    throw std::runtime_error(std::generic_category().message(errno));
  }
  return pid;
}

}  // namespace brigade::detail
