// Stands in for fork(2), which the machine may refuse at any moment: link this
// into a test program. It fails with EAGAIN, as it does when the user has no
// process left (RLIMIT_NPROC), in these cases:
//
//   NO_FORK_IF     a path: while that file exists
//   NO_FORK_AFTER  a number: from then on, so many forks later; a process that
//                  is forked goes on counting
//
// With both, when both hold.

#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

unsigned forks = 0;

bool isRefused() {
  const char* path = std::getenv("NO_FORK_IF");
  const char* most = std::getenv("NO_FORK_AFTER");
  if (path == nullptr && most == nullptr) return false;
  return (path == nullptr || ::access(path, F_OK) == 0) &&
         (most == nullptr || forks >= std::strtoul(most, nullptr, 10));
}

}  // namespace

extern "C" pid_t fork() noexcept {
  if (isRefused()) {
    errno = EAGAIN;
    return -1;
  }
  ++forks;
  // What would have been called: glibc's, or a sanitizer's in front of it.
  static const auto next =
      reinterpret_cast<pid_t (*)()>(::dlsym(RTLD_NEXT, "fork"));
  return next();
}
