#include "brigade/Process/ResourceLimit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <system_error>

#include "brigade/Process/detail/Fork.h"

namespace brigade::test {
namespace {

rlimit limitOf(__rlimit_resource_t resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return limit;
}

// In a process of its own, for limits are the whole process's.
bool inChild(const std::function<bool()>& holds) {
  const pid_t pid = detail::forkProcess([&] { return holds() ? 0 : 1; });
  int status = 1;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

TEST(ResourceLimitTest, IsTheSoftOneAndTheHardOneStays) {
  const rlim_t hard = limitOf(RLIMIT_NOFILE).rlim_max;
  EXPECT_TRUE(inChild([&] {
    applyLimits({{Resource::kOpenFiles, 100}, {Resource::kCoreSize, 0}});
    return limitOf(RLIMIT_NOFILE).rlim_cur == 100 &&
           limitOf(RLIMIT_NOFILE).rlim_max == hard &&
           limitOf(RLIMIT_CORE).rlim_cur == 0;
  }));
}

TEST(ResourceLimitTest, EachSetsItsOwn) {
  // A sanitizer's shadow has room below.
  constexpr std::uint64_t kLarge = 1ULL << 47;
  EXPECT_TRUE(inChild([&] {
    applyLimits({{Resource::kFileSize, 1001},
                 {Resource::kAddressSpace, kLarge},
                 {Resource::kLockedMemory, 4096}});
    return limitOf(RLIMIT_FSIZE).rlim_cur == 1001 &&
           limitOf(RLIMIT_AS).rlim_cur == kLarge &&
           limitOf(RLIMIT_MEMLOCK).rlim_cur == 4096;
  }));
}

TEST(ResourceLimitTest, OneAboveTheHardOneIsRefused) {
  EXPECT_TRUE(inChild([] {
    rlimit low{50, 100};
    ::setrlimit(RLIMIT_NOFILE, &low);
    checkLimits({{Resource::kOpenFiles, 100}});
    try {
      checkLimits({{Resource::kOpenFiles, 101}});
    } catch (const LimitTooHigh& e) {
      return e.what() == std::string(
                             "the limit of 101 open files is above the "
                             "hard limit of 100");
    }
    return false;
  }));
}

TEST(ResourceLimitTest, UnlimitedWantsAnUnlimitedHardOne) {
  EXPECT_TRUE(inChild([] {
    rlimit low{0, 100};
    ::setrlimit(RLIMIT_CORE, &low);
    try {
      checkLimits({{Resource::kCoreSize, ResourceLimit::kUnlimited}});
    } catch (const LimitTooHigh&) {
      return true;
    }
    return false;
  }));
}

TEST(ResourceLimitTest, WhatTheSystemRefusesIsThrown) {
  EXPECT_TRUE(inChild([] {
    rlimit low{50, 100};
    ::setrlimit(RLIMIT_NOFILE, &low);
    try {
      applyLimits({{Resource::kOpenFiles, 101}});
    } catch (const std::system_error&) {
      return true;
    }
    return false;
  }));
}

}  // namespace
}  // namespace brigade::test
