#include "brigade/Worker/detail/TemporaryFile.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace brigade::detail {
namespace {

using IfExists = HttpUpload::File::IfExists;

constexpr mode_t kMode = 0600;

std::error_code lastError() { return {errno, std::generic_category()}; }

// A name that nobody else uses, and so nobody has waiting there.
std::string uniqueName(const std::string& beginning) {
  std::uint64_t number = 0;
  // Of 8 bytes, it is not cut short (getrandom(2)).
  while (::getrandom(&number, sizeof number, 0) < 0 && errno == EINTR) {
  }
  std::array<char, 18> text;
  std::snprintf(text.data(), text.size(), ".%016llx",
                static_cast<unsigned long long>(number));
  return beginning + text.data();
}

FileDescriptor openFile(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, kMode);
  } while (fd < 0 && errno == EINTR);
  return FileDescriptor(fd);
}

// linkat(2): the way to name a file of O_TMPFILE without a privilege.
std::error_code linkTo(const FileDescriptor& file, const std::string& path) {
  const std::string source = "/proc/self/fd/" + std::to_string(file.get());
  const int failed = ::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path.c_str(),
                              AT_SYMLINK_FOLLOW);
  return failed == 0 ? std::error_code() : lastError();
}

// To `path`, behind which nothing is left at `from`.
std::error_code moveTo(const std::string& from, const std::string& path,
                       IfExists ifExists) {
  int failed = 0;
  if (ifExists == IfExists::kReplace) {
    failed = ::rename(from.c_str(), path.c_str());
  } else {
    failed = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(),
                         RENAME_NOREPLACE);
    // A file system that cannot: those have links, as a rule.
    if (failed != 0 && errno == EINVAL) {
      failed = ::link(from.c_str(), path.c_str());
      if (failed == 0) ::unlink(from.c_str());
    }
  }
  const std::error_code error = failed == 0 ? std::error_code() : lastError();
  if (error) ::unlink(from.c_str());
  return error;
}

std::error_code link(const FileDescriptor& file, const std::string& path,
                     IfExists ifExists) {
  if (ifExists == IfExists::kFail) return linkTo(file, path);
  const std::string between = uniqueName(path);
  const std::error_code error = linkTo(file, between);
  return error ? error : moveTo(between, path, ifExists);
}

// Another file system, or one without links; a file that was unlinked, no
// /proc.
bool mayBeCopied(std::error_code linkError) {
  const int error = linkError.value();
  return error == EXDEV || error == ENOENT || error == EOPNOTSUPP ||
         error == EPERM;
}

std::error_code copyAll(const FileDescriptor& from, const FileDescriptor& to) {
  std::array<char, 64 * 1024> room;
  off_t offset = 0;
  for (;;) {
    const ssize_t size = ::pread(from.get(), room.data(), room.size(), offset);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return lastError();
    if (size == 0) return {};
    const auto bytes = static_cast<std::size_t>(size);
    const auto error = appendTo(to, std::string_view(room.data(), bytes));
    if (error) return error;
    offset += size;
  }
}

// Its destructor would keep an error to itself: NFS writes here.
std::error_code closed(FileDescriptor file) {
  return ::close(file.release()) == 0 ? std::error_code() : lastError();
}

std::error_code copy(const FileDescriptor& file, std::string_view bytes,
                     const std::string& path, IfExists ifExists) {
  const std::string between = uniqueName(path);
  FileDescriptor to = openFile(between, O_WRONLY | O_CREAT | O_EXCL);
  if (!to) return lastError();
  std::error_code error = file ? copyAll(file, to) : appendTo(to, bytes);
  if (!error) error = closed(std::move(to));
  if (!error) return moveTo(between, path, ifExists);
  ::unlink(between.c_str());
  return error;
}

}  // namespace

FileDescriptor openTemporaryFile(const std::string& folder) {
  FileDescriptor file = openFile(folder, O_RDWR | O_TMPFILE);
  // open(2): what file systems say that do not know it.
  if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) {
    return file;
  }
  return openUnlinkedFile(folder);
}

FileDescriptor openUnlinkedFile(const std::string& folder) {
  const std::string name = uniqueName(folder + "/");
  FileDescriptor file = openFile(name, O_RDWR | O_CREAT | O_EXCL);
  if (file) ::unlink(name.c_str());
  return file;
}

std::error_code appendTo(const FileDescriptor& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(file.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return lastError();
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

std::error_code saveFile(const FileDescriptor& file, std::string_view bytes,
                         const std::string& path, IfExists ifExists) {
  // The system would take what is before the NUL for the name.
  if (path.find('\0') != std::string::npos) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  if (file) {
    const std::error_code error = link(file, path, ifExists);
    if (!error || !mayBeCopied(error)) return error;
  }
  return copy(file, bytes, path, ifExists);
}

}  // namespace brigade::detail
