#include "brigade/Process/ResourceLimit.h"

#include <sys/resource.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace brigade {
namespace {

struct Kind {
  __rlimit_resource_t number;
  const char* what;
};

Kind kindOf(Resource resource) {
  switch (resource) {
    case Resource::kOpenFiles:
      return {RLIMIT_NOFILE, "open files"};
    case Resource::kCoreSize:
      return {RLIMIT_CORE, "bytes of a core file"};
    case Resource::kFileSize:
      return {RLIMIT_FSIZE, "bytes of a file"};
    case Resource::kAddressSpace:
      return {RLIMIT_AS, "bytes of address space"};
    case Resource::kLockedMemory:
      break;
  }
  return {RLIMIT_MEMLOCK, "bytes of locked memory"};
}

rlim_t valueOf(const ResourceLimit& limit) {
  return limit.value == ResourceLimit::kUnlimited ? RLIM_INFINITY : limit.value;
}

// A rlim_t that means no limit is the largest there is.
std::string text(rlim_t value) {
  return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

}  // namespace

void checkLimits(const std::vector<ResourceLimit>& limits) {
  for (const ResourceLimit& limit : limits) {
    const Kind kind = kindOf(limit.resource);
    rlimit now{};
    ::getrlimit(kind.number, &now);
    if (valueOf(limit) <= now.rlim_max) continue;
    throw LimitTooHigh("the limit of " + text(valueOf(limit)) + " " +
                       kind.what + " is above the hard limit of " +
                       text(now.rlim_max));
  }
}

void applyLimits(const std::vector<ResourceLimit>& limits) {
  for (const ResourceLimit& limit : limits) {
    const Kind kind = kindOf(limit.resource);
    rlimit now{};
    ::getrlimit(kind.number, &now);
    now.rlim_cur = valueOf(limit);
    if (::setrlimit(kind.number, &now) == 0) continue;
    throw std::system_error(
        errno, std::generic_category(),
        "cannot limit the process to " + text(now.rlim_cur) + " " + kind.what);
  }
}

}  // namespace brigade
