#include "brigade/Worker/detail/ProcessFacts.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace brigade::detail {
namespace {

std::uint64_t residentIn(const std::string& folder) {
  std::uint64_t size = 0;
  std::uint64_t pages = 0;
  std::ifstream(folder + "/statm") >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

RunState ProcessFacts::runState() const {
  if (state == 'T') return RunState::kStopped;
  return state == 't' ? RunState::kTraced : RunState::kRuns;
}

ProcessFacts factsOf(pid_t pid) {
  ProcessFacts facts;
  const std::string folder = "/proc/" + std::to_string(pid);
  std::string stat;
  std::getline(std::ifstream(folder + "/stat"), stat);
  // The name in parentheses may hold anything, parentheses too.
  const auto behindName = stat.rfind(") ");
  if (behindName != std::string::npos && behindName + 2 < stat.size()) {
    facts.state = stat[behindName + 2];
  }
  facts.resident = residentIn(folder);
  return facts;
}

std::uint64_t residentBytes() { return residentIn("/proc/self"); }

}  // namespace brigade::detail
