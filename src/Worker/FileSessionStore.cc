#include "brigade/Worker/FileSessionStore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Worker/detail/SessionId.h"

namespace brigade {
namespace {

using std::chrono::seconds;

constexpr std::string_view kMagic = "brigade session 1 ";
constexpr std::size_t kHeadSize = kMagic.size() + 8 + 1;
constexpr std::string_view kNewPrefix = "new-";
// Between a load just before a session expires and its being prolonged, or
// between the first and the last byte of a new file.
constexpr seconds kGrace{60};

std::error_code errorOf(int number) {
  return {number, std::generic_category()};
}

std::error_code noSession() { return errorOf(ENOENT); }

[[noreturn]] void fail(const std::string& what, const std::string& folder) {
  throw std::system_error(errorOf(errno),
                          what + " the folder of sessions " + folder);
}

[[noreturn]] void refuse(const std::string& folder, const std::string& why) {
  throw std::runtime_error("cannot use the folder of sessions " + folder +
                           ": " + why);
}

// What follows is done to what was opened: whoever may write its parent could
// put something else under its name meanwhile. O_NOFOLLOW: a link is none.
FileDescriptor openFolder(const std::string& folder) {
  FileDescriptor opened(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (opened) return opened;
  if (errno == ENOTDIR || errno == ELOOP) refuse(folder, "it is none");
  fail("cannot open", folder);
}

struct stat lookAt(const FileDescriptor& opened, const std::string& folder) {
  struct stat info {};
  if (::fstat(opened.get(), &info) != 0) fail("cannot look at", folder);
  return info;
}

// One that this process has made.
void giveAway(const FileDescriptor& opened, const std::string& folder,
              uid_t uid, gid_t gid) {
  const bool foreign = uid != ::geteuid() || gid != ::getegid();
  if (!foreign || lookAt(opened, folder).st_uid != ::geteuid()) return;
  if (::fchown(opened.get(), uid, gid) != 0) fail("cannot give away", folder);
}

void check(const FileDescriptor& opened, const std::string& folder, uid_t uid) {
  const struct stat info = lookAt(opened, folder);
  if (info.st_uid != uid) {
    refuse(folder, "it belongs to uid " + std::to_string(info.st_uid) +
                       ", and the worker processes are uid " +
                       std::to_string(uid));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    refuse(folder, "it is open to others than its owner");
  }
}

// Calls again what a signal has interrupted.
template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::string headOf(std::string_view data) {
  std::array<char, 10> sum{};
  const auto crc =
      ::crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size());
  std::snprintf(sum.data(), sum.size(), "%08lx\n",
                static_cast<unsigned long>(crc));
  return std::string(kMagic) + sum.data();
}

// atime stays what it is.
std::array<timespec, 2> timesOf(SessionTime expires) {
  timespec accessed{};
  accessed.tv_nsec = UTIME_OMIT;
  timespec modified{};
  modified.tv_sec = expires.time_since_epoch().count();
  return {accessed, modified};
}

SessionTime expiryOf(const struct stat& info) {
  return SessionTime(seconds(info.st_mtim.tv_sec));
}

std::error_code writeAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        retried([&] { return ::write(file, bytes.data(), bytes.size()); });
    if (n < 0) return errorOf(errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

// To the end of the file, or of the room.
std::error_code readAll(int file, std::string& bytes) {
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t n = retried(
        [&] { return ::read(file, bytes.data() + size, bytes.size() - size); });
    if (n < 0) return errorOf(errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  bytes.resize(size);
  return {};
}

}  // namespace

// One that is being written: gone again unless it became a session.
class FileSessionStore::NewFile {
 public:
  explicit NewFile(const std::string& folder)
      : path_(folder + "/" + std::string(kNewPrefix) + "XXXXXX"),
        // mkostemp(3): O_EXCL, so it follows no link; 0600.
        file_(::mkostemp(path_.data(), O_CLOEXEC)),
        error_(file_ ? 0 : errno) {}
  ~NewFile() {
    if (file_ && !taken_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  bool lacksFolder() const { return error_ == ENOENT; }

  std::error_code write(std::string_view data, SessionTime expires) {
    if (!file_) return errorOf(error_);
    if (data.size() > kMaxBytes) return errorOf(EFBIG);
    if (const auto error = writeAll(file_.get(), headOf(data))) return error;
    if (const auto error = writeAll(file_.get(), data)) return error;
    const auto times = timesOf(expires);
    return ::futimens(file_.get(), times.data()) == 0 ? std::error_code()
                                                      : errorOf(errno);
  }

  std::error_code become(const std::string& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) return errorOf(errno);
    taken_ = true;
    return {};
  }

  // Only one that is there can be exchanged: then the old one has the name that
  // goes. A file system that cannot do so (NFS) leaves a moment in which a
  // session that is removed comes back.
  std::error_code replace(const std::string& path) {
    const auto renamed = ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD,
                                     path.c_str(), RENAME_EXCHANGE);
    if (renamed == 0) return {};
    if (errno != EINVAL) return errorOf(errno);
    if (::access(path.c_str(), F_OK) != 0) return errorOf(errno);
    return become(path);
  }

 private:
  std::string path_;
  FileDescriptor file_;
  int error_;
  bool taken_ = false;
};

FileSessionStore::FileSessionStore(const std::string& folder)
    // A daemon is somewhere else.
    : folder_(std::filesystem::absolute(folder).string()) {}

FileSessionStore::~FileSessionStore() = default;

void FileSessionStore::prepare(uid_t uid, gid_t gid) {
  const bool made = ::mkdir(folder_.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) fail("cannot make", folder_);
  try {
    const FileDescriptor folder = openFolder(folder_);
    if (made) giveAway(folder, folder_, uid, gid);
    check(folder, folder_, uid);
  } catch (...) {
    // Nothing was put into it yet.
    if (made) ::rmdir(folder_.c_str());
    throw;
  }
}

void FileSessionStore::prepareProcess() {
  if (::faccessat(AT_FDCWD, folder_.c_str(), R_OK | W_OK | X_OK, AT_EACCESS) !=
      0) {
    fail("cannot use", folder_);
  }
}

// Somebody has removed it, as who cleans /tmp up. Another process may be making
// it again, too.
bool FileSessionStore::makeAgain() const {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return false;
  try {
    check(openFolder(folder_), folder_, ::geteuid());
  } catch (const std::runtime_error&) {
    return false;
  }
  return true;
}

std::string FileSessionStore::pathOf(std::string_view id) const {
  return (folder_ + "/").append(id);
}

std::error_code FileSessionStore::load(std::string_view id, SessionTime now,
                                       StoredSession& session) try {
  if (!detail::isSessionId(id)) return noSession();
  const std::string path = pathOf(id);
  const FileDescriptor file(retried([&] {
    return ::open(path.c_str(),
                  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  }));
  // O_NOFOLLOW: a link is none.
  if (!file) return errno == ELOOP ? noSession() : errorOf(errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errorOf(errno);
  const auto size = static_cast<std::size_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || expiryOf(info) <= now || size < kHeadSize ||
      size - kHeadSize > kMaxBytes) {
    return noSession();
  }
  std::string head(kHeadSize, '\0');
  session.data.resize(size - kHeadSize);
  session.expires = expiryOf(info);
  if (const auto error = readAll(file.get(), head)) return error;
  if (const auto error = readAll(file.get(), session.data)) return error;
  return head == headOf(session.data) ? std::error_code() : noSession();
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

std::error_code FileSessionStore::create(std::string_view id,
                                         std::string_view data,
                                         SessionTime expires) try {
  if (!detail::isSessionId(id)) return errorOf(EINVAL);
  std::optional<NewFile> file(std::in_place, folder_);
  if (file->lacksFolder() && makeAgain()) file.emplace(folder_);
  if (const auto error = file->write(data, expires)) return error;
  return file->become(pathOf(id));
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

std::error_code FileSessionStore::replace(std::string_view id,
                                          std::string_view data,
                                          SessionTime expires) try {
  if (!detail::isSessionId(id)) return noSession();
  NewFile file(folder_);
  if (const auto error = file.write(data, expires)) return error;
  return file.replace(pathOf(id));
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

// unlink(2) is the claim: it succeeds for one only. Nobody knows the new id
// before this returns.
std::error_code FileSessionStore::rename(std::string_view id,
                                         std::string_view newId,
                                         std::string_view data,
                                         SessionTime expires) try {
  if (!detail::isSessionId(id)) return noSession();
  const std::string oldPath = pathOf(id);
  if (::access(oldPath.c_str(), F_OK) != 0) return errorOf(errno);
  if (const auto error = create(newId, data, expires)) return error;
  if (::unlink(oldPath.c_str()) == 0) return {};
  const std::error_code error = errorOf(errno);
  ::unlink(pathOf(newId).c_str());
  return error;
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

std::error_code FileSessionStore::prolong(std::string_view id,
                                          SessionTime expires) try {
  if (!detail::isSessionId(id)) return noSession();
  const auto times = timesOf(expires);
  const bool done = ::utimensat(AT_FDCWD, pathOf(id).c_str(), times.data(),
                                AT_SYMLINK_NOFOLLOW) == 0;
  return done ? std::error_code() : errorOf(errno);
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

std::error_code FileSessionStore::remove(std::string_view id) try {
  if (!detail::isSessionId(id)) return {};
  const bool done = ::unlink(pathOf(id).c_str()) == 0 || errno == ENOENT;
  return done ? std::error_code() : errorOf(errno);
} catch (const std::bad_alloc&) {
  return errorOf(ENOMEM);
}

bool FileSessionStore::collect(SessionTime now, std::size_t atMost) {
  if (!sweep_) sweep_.reset(::opendir(folder_.c_str()));
  if (!sweep_) fail("cannot read", folder_);
  for (; atMost > 0; --atMost) {
    errno = 0;
    const dirent* const entry = ::readdir(sweep_.get());
    if (entry == nullptr) {
      const int number = errno;
      sweep_.reset();
      errno = number;
      if (number != 0) fail("cannot read", folder_);
      return false;
    }
    collectEntry(::dirfd(sweep_.get()), entry->d_name, now);
  }
  return true;
}

// Another process may have removed it, or given it more time, meanwhile.
void FileSessionStore::collectEntry(int folder, const char* name,
                                    SessionTime now) const {
  const std::string_view entry = name;
  if (!detail::isSessionId(entry) && !entry.starts_with(kNewPrefix)) return;
  struct stat info {};
  if (::fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return;
    fail("cannot look into", folder_);
  }
  if (!S_ISREG(info.st_mode) || expiryOf(info) + kGrace > now) return;
  if (::unlinkat(folder, name, 0) != 0 && errno != ENOENT) {
    fail("cannot remove from", folder_);
  }
}

}  // namespace brigade
