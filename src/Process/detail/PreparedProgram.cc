#include "brigade/Process/detail/PreparedProgram.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>

namespace brigade::detail {
namespace {

namespace fs = std::filesystem;

constexpr int kChannel = PreparedProgram::kFirstFree - 1;
constexpr char kChannelVariable[] = "BRIGADE_CHANNEL";
constexpr char kUsualPath[] = "/usr/local/bin:/usr/bin:/bin";
constexpr mode_t kLogMode = 0644;

[[noreturn]] void failed(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Empty when it can be executed by this process, else why not.
std::string obstacle(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return "is a directory";
  if (::access(path.c_str(), X_OK) == 0) return "";
  return std::generic_category().message(errno);
}

// As execvp(3) finds it.
std::string findCommand(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const std::string why = obstacle(name);
    if (why.empty()) return fs::absolute(name).lexically_normal();
    throw std::runtime_error("command " + name + ": " + why);
  }
  const char* const variable = std::getenv("PATH");
  const std::string folders = variable == nullptr ? kUsualPath : variable;
  for (std::size_t at = 0; at <= folders.size();) {
    const auto end = std::min(folders.find(':', at), folders.size());
    const fs::path candidate =
        fs::absolute(fs::path(folders.substr(at, end - at)) / name);
    if (obstacle(candidate).empty()) return candidate;
    at = end + 1;
  }
  throw std::runtime_error("command " + name + ": not found in " + folders);
}

void checkFolder(const std::string& directory) {
  std::error_code error;
  if (directory.empty() || fs::is_directory(directory, error)) return;
  throw std::runtime_error("directory " + directory + ": " +
                           (error ? error.message() : "is no directory"));
}

// Its name stands in a log line and is part of none.
void checkSettings(const Program& program) {
  if (program.name.empty()) throw std::invalid_argument("has no name");
  if (program.command.empty() || program.command[0].empty()) {
    throw std::invalid_argument("has no command");
  }
  const auto holdsZero = [](const std::string& text) {
    return text.find('\0') != std::string::npos;
  };
  if (std::any_of(program.command.begin(), program.command.end(), holdsZero)) {
    throw std::invalid_argument("an argument holds a zero byte");
  }
  for (const std::string& variable : program.environment) {
    const auto equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos || holdsZero(variable)) {
      throw std::invalid_argument("'" + variable + "' is not NAME=value");
    }
  }
}

std::string nameOf(const std::string& variable) {
  return variable.substr(0, variable.find('='));
}

std::vector<std::string> environmentOf(const Program& program) {
  std::vector<std::string> all = program.environment;
  all.push_back(kChannelVariable + ("=" + std::to_string(kChannel)));
  std::set<std::string> ours;
  for (const std::string& variable : all) ours.insert(nameOf(variable));
  for (char** each = environ; *each != nullptr; ++each) {
    if (!ours.contains(nameOf(*each))) all.emplace_back(*each);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& each : strings) {
    result.push_back(const_cast<char*>(each.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

// To `number` and without close-on-exec, which dup2(2) leaves alone when they
// are the same.
void place(int fd, int number) {
  if (fd == number ? ::fcntl(fd, F_SETFD, 0) < 0 : ::dup2(fd, number) < 0) {
    failed("cannot give descriptor " + std::to_string(number));
  }
}

// Above all numbers that are about to be taken.
FileDescriptor outOfTheWay(int fd) {
  FileDescriptor moved(
      ::fcntl(fd, F_DUPFD_CLOEXEC, PreparedProgram::kFirstFree));
  if (!moved) failed("cannot move a descriptor");
  return moved;
}

void placeDescriptors(int output, int errors, int channel, int complaints) {
  FileDescriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input) failed("cannot open /dev/null");
  const FileDescriptor in = outOfTheWay(input.get());
  input.reset();
  const FileDescriptor out = outOfTheWay(output);
  const FileDescriptor error = outOfTheWay(errors);
  const FileDescriptor way = outOfTheWay(channel);
  place(in.get(), STDIN_FILENO);
  place(out.get(), STDOUT_FILENO);
  place(error.get(), STDERR_FILENO);
  place(way.get(), kChannel);
  // Whatever the user's code left open in the master.
  closeAllBut(PreparedProgram::kFirstFree,
              {in.get(), out.get(), error.get(), way.get(), complaints});
}

}  // namespace

PreparedProgram::PreparedProgram(const Program& program) try
    : settings((checkSettings(program), program)),
      path(findCommand(program.command[0])),
      identity(Identity::find(program.user, program.group)) {
  checkFolder(program.directory);
  checkLimits(program.limits);
  if (!settings.logFile.empty()) {
    // The program may change the directory before a reopen.
    settings.logFile = fs::absolute(settings.logFile);
  }
} catch (const std::invalid_argument& e) {
  throw std::invalid_argument("program '" + program.name + "': " + e.what());
} catch (const std::runtime_error& e) {
  throw std::runtime_error("program '" + program.name + "': " + e.what());
}

void PreparedProgram::openLog() {
  if (settings.logFile.empty()) return;
  // O_NONBLOCK is for a path that is a pipe: a reader that does not read must
  // stop neither the master nor a guard.
  constexpr int kFlags =
      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  FileDescriptor fd(::open(settings.logFile.c_str(), kFlags, kLogMode));
  if (!fd) {
    failed("program '" + settings.name + "': cannot open log " +
           settings.logFile);
  }
  log = std::move(fd);
}

void PreparedProgram::become(pid_t parent, int output, int errors, int channel,
                             int complaints) const {
  // Leads a session and a process group: no terminal reaches it, and one
  // signal reaches all of it.
  ::setsid();
  applyLimits(settings.limits);
  placeDescriptors(output, errors, channel, complaints);
  try {
    identity.takeOn();
  } catch (const std::exception& e) {
    throw CannotTakeOnUser(e.what());
  }
  if (!settings.directory.empty() && ::chdir(settings.directory.c_str()) != 0) {
    failed("cannot go to " + settings.directory);
  }
  // Behind the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::raise(SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
  std::vector<std::string> words = settings.command;
  words.push_back(std::to_string(kChannel));
  const std::vector<std::string> variables = environmentOf(settings);
  ::execve(path.c_str(), pointers(words).data(), pointers(variables).data());
  failed("cannot execute " + path);
}

std::vector<std::unique_ptr<PreparedProgram>> prepare(
    const std::vector<Program>& programs) {
  std::vector<std::unique_ptr<PreparedProgram>> prepared;
  std::set<std::string> names;
  for (const Program& program : programs) {
    prepared.push_back(std::make_unique<PreparedProgram>(program));
    if (!names.insert(program.name).second) {
      throw std::invalid_argument("two programs are named '" + program.name +
                                  "'");
    }
  }
  return prepared;
}

void closeAllBut(int first, const std::vector<int>& kept) {
  std::vector<int> open;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    const std::string name = entry.path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (fd >= first && std::find(kept.begin(), kept.end(), fd) == kept.end()) {
      open.push_back(fd);
    }
  }
  for (const int fd : open) FileDescriptor(fd).reset();
}

}  // namespace brigade::detail
