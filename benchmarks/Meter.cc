#include "Meter.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace brigade::bench {

namespace {

double secondsOf(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "the server process is gone");
  }
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

// Fields 14 and 15 of /proc/PID/stat, proc(5). The second one, the name of the
// program, may hold anything but ends with the last parenthesis.
void readSplit(pid_t server, Usage& usage) {
  std::ifstream file("/proc/" + std::to_string(server) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name = text.rfind(')');
  if (name == std::string::npos) return;
  std::istringstream fields(text.substr(name + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  usage.user = user / ticks;
  usage.system = system / ticks;
}

}  // namespace

Usage Usage::operator-(const Usage& earlier) const {
  return {wall - earlier.wall, server - earlier.server, user - earlier.user,
          system - earlier.system, client - earlier.client};
}

Meter::Meter(pid_t server) : server_(server) {
  if (server == 0) return;
  const int error = clock_getcpuclockid(server, &clock_);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(),
                            "process " + std::to_string(server));
  }
}

Usage Meter::read() const {
  Usage usage;
  usage.wall = secondsOf(CLOCK_MONOTONIC);
  usage.client = secondsOf(CLOCK_PROCESS_CPUTIME_ID);
  if (server_ != 0) {
    usage.server = secondsOf(clock_);
    readSplit(server_, usage);
  }
  return usage;
}

}  // namespace brigade::bench
