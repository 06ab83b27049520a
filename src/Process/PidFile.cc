#include "brigade/Process/PidFile.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

[[noreturn]] void failed(const std::string& what, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), what + " " + path);
}

pid_t readPid(int fd) {
  char text[32];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (n > 0) std::from_chars(text, text + n, pid);
  return pid;
}

// A look() holds a shared lock for a moment: one refusal is not yet a master.
bool lock(int fd) {
  constexpr int kTries = 20;
  constexpr int kWaitMs = 5;
  for (int i = 0; i < kTries; ++i) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    ::poll(nullptr, 0, kWaitMs);
  }
  errno = EWOULDBLOCK;
  return false;
}

// A master that stops removes its file between our open and our lock.
bool isAt(int fd, const std::string& path) {
  struct stat mine {};
  struct stat there {};
  return ::fstat(fd, &mine) == 0 && ::stat(path.c_str(), &there) == 0 &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

}  // namespace

PidFile::PidFile(std::string path) : path_(std::move(path)) {
  do {
    fd_.reset(
        ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd_) failed("cannot open the pid file", path_);
    if (!lock(fd_.get())) {
      if (errno != EWOULDBLOCK) failed("cannot lock the pid file", path_);
      throw AlreadyRunning("already running as pid " +
                           std::to_string(readPid(fd_.get())) + " (" + path_ +
                           ")");
    }
  } while (!isAt(fd_.get(), path_));
  ::fchmod(fd_.get(), 0600);  // of a stale one, made by an older version
  write();
}

PidFile::PidFile(Archive& archive) { carry(archive); }

void PidFile::carry(Archive& archive) { archive(path_, fd_); }

PidFile::~PidFile() {
  if (fd_) ::unlink(path_.c_str());
}

void PidFile::closeInChild() { fd_.reset(); }

void PidFile::write() {
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_.get(), 0) != 0 ||
      ::pwrite(fd_.get(), text.data(), text.size(), 0) !=
          static_cast<ssize_t>(text.size())) {
    const int error = errno;
    ::unlink(path_.c_str());
    errno = error;
    failed("cannot write the pid file", path_);
  }
}

PidFile::Holder PidFile::look(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return {State::kNone, 0};
  if (!fd) failed("cannot read the pid file", path);
  const pid_t pid = readPid(fd.get());
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return {State::kStale, pid};
  if (errno != EWOULDBLOCK) failed("cannot look at the pid file", path);
  return {State::kRunning, pid};
}

}  // namespace brigade
