#pragma once

// ResourceLimit: a soft limit of a process (setrlimit(2)), up to the hard one
// that the master was started with, which stays as it is. Checked in the
// master before the first fork, applied in the child.

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace brigade {

enum class Resource : std::uint8_t {
  kOpenFiles,     // descriptors
  kCoreSize,      // bytes of a core file
  kFileSize,      // bytes of a file that it writes
  kAddressSpace,  // bytes of memory that it maps
  kLockedMemory,  // bytes
};

struct ResourceLimit {
  static constexpr std::uint64_t kUnlimited = UINT64_MAX;

  Resource resource;
  std::uint64_t value;
};

// "the limit of 99999999 open files is above the hard limit of 1048576".
class LimitTooHigh : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws LimitTooHigh.
void checkLimits(const std::vector<ResourceLimit>& limits);

// For this process and what it forks. Throws std::system_error.
void applyLimits(const std::vector<ResourceLimit>& limits);

}  // namespace brigade
