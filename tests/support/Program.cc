#include "tests/support/Program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPoll{5};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& s : strings) {
    result.push_back(const_cast<char*>(s.c_str()));
  }
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> wholeEnvironment(
    const std::vector<std::string>& more) {
  std::vector<std::string> all = more;
  for (char** e = environ; *e != nullptr; ++e) all.emplace_back(*e);
  return all;
}

int openAt(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

pid_t spawn(const std::vector<std::string>& command,
            const std::vector<std::string>& environment, int out, int err) {
  const auto arguments = pointers(command);
  const auto variables = wholeEnvironment(environment);
  const auto variablePointers = pointers(variables);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execve(arguments[0], arguments.data(), variablePointers.data());
    ::_exit(127);
  }
  return child;
}

std::string contentOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool waitFor(pid_t pid, milliseconds patience, int& status) {
  const FileDescriptor pidfd(
      static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd poll{pidfd.get(), POLLIN, 0};
  if (::poll(&poll, 1, static_cast<int>(patience.count())) != 1) return false;
  return ::waitpid(pid, &status, 0) == pid;
}

}  // namespace

Outcome runCommand(const std::vector<std::string>& command,
                   const std::vector<std::string>& environment) {
  const TempDirectory directory;
  const std::string outPath = directory / "out";
  const std::string errPath = directory / "err";
  Outcome outcome;
  {
    const FileDescriptor out(openAt(outPath));
    const FileDescriptor err(openAt(errPath));
    const pid_t child = spawn(command, environment, out.get(), err.get());
    int status = 0;
    if (!waitFor(child, seconds(60), status)) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      ADD_FAILURE() << command[0] << " " << command[1] << " hangs";
    }
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  outcome.out = contentOf(outPath);
  outcome.err = contentOf(errPath);
  return outcome;
}

bool eventually(const std::function<bool()>& condition, seconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!condition()) {
    if (Clock::now() > deadline) return condition();
    // Nothing to wait on: the condition is another process's.
    ::poll(nullptr, 0, static_cast<int>(kPoll.count()));
  }
  return true;
}

Program::Program(std::string binary, std::vector<std::string> prefix)
    : binary_(std::move(binary)), prefix_(std::move(prefix)) {
  errors_ = directory_ / "stderr.log";
  // Worker processes may run as somebody else.
  ::chmod(directory().c_str(), 0755);
}

Program::~Program() {
  std::vector<pid_t> processes;
  if (master_ != 0) {
    processes = childrenOf(master_);
    processes.push_back(master_);
    ::kill(master_, SIGTERM);
    int status = 0;
    if (!waitFor(master_, seconds(20), status)) {
      ADD_FAILURE() << "the master does not stop; its log:\n" << log();
      ::kill(master_, SIGKILL);
      ::waitpid(master_, &status, 0);
    }
  }
  for (const pid_t pid : processes) {
    EXPECT_TRUE(eventually([pid] { return !processExists(pid); }))
        << "process " << pid << " is left; log:\n"
        << log();
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    if (killed_) break;
    const auto kind = entry.path().extension();
    EXPECT_TRUE(kind == ".log" || kind == ".sessions")
        << entry.path() << " is left";
  }
  if (::testing::Test::HasFailure()) {
    std::fprintf(stderr, "---- log of %s:\n%s----\n", binary_.c_str(),
                 log().c_str());
  }
}

void Program::launch(std::vector<std::string> options,
                     const std::vector<std::string>& environment) {
  ASSERT_EQ(master_, 0) << "already started";
  std::vector<std::string> words = prefix_;
  words.insert(words.end(), {binary_, "start", "--run-dir", directory()});
  words.insert(words.end(), options.begin(), options.end());
  std::filesystem::remove(errors_);  // of an earlier start
  const FileDescriptor err(openAt(errors_));
  master_ = spawn(words, environment, err.get(), err.get());
  port_ = 0;
  killed_ = false;
}

void Program::start(std::vector<std::string> options,
                    const std::vector<std::string>& environment) {
  launch(std::move(options), environment);
  ASSERT_TRUE(eventually([this] {
    if (!processExists(master_)) return true;
    return log().find("]: ready\n") != std::string::npos;
  })) << log();
  ASSERT_TRUE(processExists(master_)) << log();
}

Outcome Program::command(std::vector<std::string> words) const {
  words.insert(words.begin(), binary_);
  words.insert(words.end(), {"--run-dir", directory()});
  return runCommand(words);
}

nlohmann::json Program::status() const {
  const Outcome outcome = command({"status", "--json"});
  if (outcome.code != 0) return nullptr;
  return nlohmann::json::parse(outcome.out);
}

std::vector<pid_t> Program::workerPids() const {
  std::vector<pid_t> pids;
  const nlohmann::json all = status();
  if (all.is_null()) return pids;
  for (const auto& worker : all.at("workers")) {
    const auto& pid = worker.at("pid");
    pids.push_back(pid.is_null() ? 0 : pid.get<pid_t>());
  }
  return pids;
}

pid_t Program::workerPid(unsigned index) const {
  const auto pids = workerPids();
  return index <= pids.size() ? pids[index - 1] : 0;
}

std::string Program::address() const {
  return status().at("workers").at(0).at("address").get<std::string>();
}

std::uint16_t Program::port() const {
  if (port_ == 0) {
    const std::string text = address();
    port_ =
        static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  }
  return port_;
}

std::string Program::log() const { return contentOf(errors_); }

int Program::wait() {
  int status = 0;
  if (!waitFor(master_, seconds(30), status)) {
    ADD_FAILURE() << "the program does not end; its log:\n" << log();
    return -1;
  }
  master_ = 0;
  killed_ = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string example(const std::string& name) {
  return std::string(BRIGADE_EXAMPLES) + "/" + name;
}

bool processExists(pid_t pid) {
  std::string stat = contentOf("/proc/" + std::to_string(pid) + "/stat");
  const auto behindName = stat.rfind(") ");
  return behindName != std::string::npos && stat[behindName + 2] != 'Z';
}

std::vector<pid_t> childrenOf(pid_t pid) {
  std::vector<pid_t> children;
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" +
                     std::to_string(pid) + "/children");
  for (pid_t child; file >> child;) children.push_back(child);
  return children;
}

double cpuSeconds(pid_t pid) {
  // Nanoseconds on the processor come first (Documentation/scheduler,
  // sched-stats).
  std::ifstream file("/proc/" + std::to_string(pid) + "/schedstat");
  double nanoseconds = 0;
  file >> nanoseconds;
  return nanoseconds / 1e9;
}

std::size_t memoryBytes(pid_t pid) {
  // The kernel walks the pages for it; the counters of statm run behind by
  // some pages for every processor (proc(5)).
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::size_t kilobytes = 0;
  bool found = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::size_t amount = 0;
    words >> name >> amount;
    if (name != "Anonymous:" && name != "Pss_Shmem:") continue;
    kilobytes += amount;
    found = true;
  }
  EXPECT_TRUE(found) << "no memory of process " << pid << " to be read";
  return kilobytes * 1024;
}

std::size_t descriptorCount(pid_t pid) {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(pid) + "/fd", error)) {
    (void)entry;
    ++count;
  }
  return count;
}

std::size_t listeningSockets(std::uint16_t port) {
  char local[8];
  std::snprintf(local, sizeof local, ":%04X", port);
  std::ifstream file("/proc/net/tcp");
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    // "  0: 0100007F:1F90 00000000:0000 0A ...": 0A is LISTEN.
    std::istringstream words(line);
    std::string number, address, remote, state;
    words >> number >> address >> remote >> state;
    if (address.ends_with(local) && state == "0A") ++count;
  }
  return count;
}

}  // namespace brigade::test
