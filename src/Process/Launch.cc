#include "brigade/Process/Launch.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace brigade {
namespace {

constexpr const char* kSelf = "/proc/self/exe";

bool isSameFile(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool isOwn(const std::string& path) {
  struct stat own {};
  struct stat there {};
  return ::stat(kSelf, &own) == 0 && ::stat(path.c_str(), &there) == 0 &&
         isSameFile(own, there);
}

// Empty when no file of PATH is the one that runs.
std::string findInPath(const std::string& name) {
  const char* const variable = std::getenv("PATH");
  std::string_view folders = variable == nullptr ? "" : variable;
  while (!folders.empty()) {
    const auto end = folders.find(':');
    const auto path = std::filesystem::path(folders.substr(0, end)) / name;
    if (isOwn(path)) return path;
    if (end == std::string_view::npos) break;
    folders.remove_prefix(end + 1);
  }
  return {};
}

std::string findOwn(const std::string& name) {
  std::error_code error;
  const bool isPath = name.find('/') != std::string::npos;
  const std::string called = isPath ? name : findInPath(name);
  const auto path = std::filesystem::absolute(called, error);
  if (!called.empty() && !error && isOwn(path)) return path.lexically_normal();
  return std::filesystem::read_symlink(kSelf);
}

FileDescriptor openCode(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot open " + path);
  }
  return fd;
}

}  // namespace

Launch::Launch(int argc, char** argv)
    : arguments_(argv, argv + argc),
      directory_(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)),
      image_(openCode(kSelf)),
      path_(findOwn(argc > 0 ? argv[0] : "")) {}

void Launch::resumeAs(std::string path) {
  path_ = std::move(path);
  const auto name = std::filesystem::path(path_).filename();
  ::prctl(PR_SET_NAME, name.c_str());
}

void Launch::closeInChild() {
  directory_.reset();
  image_.reset();
}

FileDescriptor Launch::open() const { return openCode(path_); }

bool Launch::isReplaced() const {
  struct stat running {};
  struct stat there {};
  return ::fstat(image_.get(), &running) == 0 &&
         ::stat(path_.c_str(), &there) == 0 && !isSameFile(running, there);
}

bool Launch::isGone() const {
  struct stat there {};
  return ::stat(path_.c_str(), &there) != 0 &&
         (errno == ENOENT || errno == ENOTDIR);
}

void Launch::execute(int image, const std::vector<std::string>& more,
                     const std::string& variable) const {
  std::vector<std::string> strings = arguments_;
  strings.insert(strings.end(), more.begin(), more.end());
  std::vector<char*> arguments;
  for (std::string& each : strings) arguments.push_back(each.data());
  arguments.push_back(nullptr);
  std::string own = variable;
  const std::string name = variable.substr(0, variable.find('=') + 1);
  std::vector<char*> environment{own.data()};
  for (char** each = environ; *each != nullptr; ++each) {
    if (!std::string_view(*each).starts_with(name))
      environment.push_back(*each);
  }
  environment.push_back(nullptr);
  if (directory_ && ::fchdir(directory_.get()) != 0) return;
  ::fexecve(image, arguments.data(), environment.data());
}

}  // namespace brigade
