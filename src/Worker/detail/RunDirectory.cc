#include "brigade/Worker/detail/RunDirectory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace brigade::detail {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void failed(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

bool isThere(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Why nothing can be made in that folder; 0: it can.
int obstacleIn(const fs::path& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) return ENOTDIR;
  const int mode = W_OK | X_OK;
  return ::faccessat(AT_FDCWD, folder.c_str(), mode, AT_EACCESS) == 0 ? 0
                                                                      : errno;
}

fs::path normal(const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// Behind the links that are there.
fs::path real(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(path, error);
  return error ? normal(path) : normal(whole);
}

bool contains(const fs::path& folder, const fs::path& path) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

// Whoever may write to a folder may put another one in place of what is in it.
void checkOurs(const std::string& runDirectory, const std::string& directory) {
  struct stat info {};
  std::string wrong;
  if (::lstat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    wrong = " is no directory";
  } else if (info.st_uid != ::geteuid()) {
    wrong = " belongs to uid " + std::to_string(info.st_uid) +
            ", and this is uid " + std::to_string(::geteuid());
  } else if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    wrong = " can be written by others";
  }
  if (wrong.empty()) return;
  throw std::runtime_error("cannot use the run directory " + runDirectory +
                           ": " + directory + wrong);
}

}  // namespace

void makeRunDirectory(const std::string& runDirectory) {
  const fs::path directory = fs::absolute(runDirectory).lexically_normal();
  // /tmp is everybody's: what lies there is ours alone, or not used. Folder by
  // folder: none is made behind a link that somebody else has planted.
  if (directory.native().starts_with("/tmp/")) {
    fs::path part = "/tmp";
    for (const fs::path& name : directory.lexically_relative("/tmp")) {
      if (name.empty()) continue;
      part /= name;
      if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
        throw std::system_error(
            errno, std::generic_category(),
            "cannot make the run directory " + runDirectory);
      }
      checkOurs(runDirectory, part);
    }
  } else {
    std::error_code error;
    const mode_t before = ::umask(022);
    fs::create_directories(directory, error);
    ::umask(before);
    if (error) {
      throw std::system_error(error,
                              "cannot make the run directory " + runDirectory);
    }
  }
  if (::access(runDirectory.c_str(), W_OK | X_OK) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot use the run directory " + runDirectory);
  }
}

void checkRunDirectory(const std::string& runDirectory) {
  const fs::path directory = normal(runDirectory);
  if (directory.native().starts_with("/tmp/")) {
    fs::path part = "/tmp";
    for (const fs::path& name : directory.lexically_relative("/tmp")) {
      part /= name;
      if (!fs::exists(fs::symlink_status(part))) break;
      checkOurs(runDirectory, part);
    }
  }
  fs::path there = directory;
  while (!isThere(there) && there.has_relative_path()) {
    there = there.parent_path();
  }
  if (const int error = obstacleIn(there)) {
    failed(error, std::string("cannot ") +
                      (there == directory ? "use" : "make") +
                      " the run directory " + runDirectory);
  }
}

void checkFile(const std::string& what, const std::string& path,
               const std::string& runDirectory) {
  const fs::path folder = real(path).parent_path();
  int error = 0;
  if (std::error_code none; isThere(path)) {
    if (fs::is_directory(path, none)) {
      error = EISDIR;
    } else if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
      error = errno;
    }
  } else if (isThere(folder) || !contains(folder, real(runDirectory))) {
    // Else it is made together with the run directory.
    error = obstacleIn(folder);
  }
  if (error != 0) failed(error, "cannot open " + what + " " + path);
}

}  // namespace brigade::detail
