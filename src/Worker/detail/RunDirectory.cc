#include "brigade/Worker/detail/RunDirectory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace brigade::detail {
namespace {

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
  namespace fs = std::filesystem;
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

}  // namespace brigade::detail
