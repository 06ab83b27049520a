#pragma once

// Program: a brigade program under test, run as a user runs it: its binary,
// its command line, a run directory of its own. Nothing is left behind.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/TempDirectory.h"

namespace brigade::test {

struct Outcome {
  int code = -1;  // exit code, or -1 when a signal ended it
  std::string out;
  std::string err;
};

// Runs a command to its end (at most 60 s) and returns what it said.
Outcome runCommand(const std::vector<std::string>& command,
                   const std::vector<std::string>& environment = {});

// Polls until the condition holds or `patience` has passed; the result is the
// condition's.
bool eventually(const std::function<bool()>& condition,
                std::chrono::seconds patience = std::chrono::seconds(20));

class Program {
 public:
  // `prefix` stands in front of "BINARY start": a command that runs another.
  explicit Program(std::string binary, std::vector<std::string> prefix = {});
  // Kills what still runs, and fails the test if a process of the program
  // outlives that or anything but logs and sessions stays in the run directory.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // "start" in the foreground with these options, on a port that the kernel
  // picks unless they say --listen; returns when every worker process is
  // ready.
  void start(std::vector<std::string> options = {},
             const std::vector<std::string>& environment = {});
  // As above, but does not wait.
  void launch(std::vector<std::string> options = {},
              const std::vector<std::string>& environment = {});

  // BINARY command... --run-dir DIRECTORY.
  Outcome command(std::vector<std::string> words) const;

  nlohmann::json status() const;
  std::vector<pid_t> workerPids() const;
  pid_t workerPid(unsigned index) const;
  std::string address() const;  // of the first Worker
  std::uint16_t port() const;
  std::string log() const;  // what the foreground program wrote to stderr

  pid_t masterPid() const { return master_; }
  // Waits for the foreground program; its exit code, or -signal.
  int wait();
  const std::string& directory() const { return directory_.name(); }

 private:
  std::string binary_;
  std::vector<std::string> prefix_;
  TempDirectory directory_;
  std::string errors_;  // file
  pid_t master_ = 0;
  bool killed_ = false;  // SIGKILL: its files are left, and that is right
  mutable std::uint16_t port_ = 0;
};

// The path of an example, or of a test program.
std::string example(const std::string& name);

bool processExists(pid_t pid);
// Zombies included.
std::vector<pid_t> childrenOf(pid_t pid);
// User and system time so far.
double cpuSeconds(pid_t pid);
// Memory the process has taken: anonymous pages and its share of shared
// ones. Pages of files are not in it: they come as code runs for the first
// time, which says nothing of what a connection costs.
std::size_t memoryBytes(pid_t pid);
std::size_t descriptorCount(pid_t pid);
// Of all processes on that port, as ss(8) counts them.
std::size_t listeningSockets(std::uint16_t port);

}  // namespace brigade::test
