#include "brigade/Worker/detail/LogLimit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace brigade::detail {
namespace {

using namespace std::chrono_literals;

TEST(LogLimitTest, TenLinesASecondAreWrittenAndTheOthersCounted) {
  LogLimit limit;
  const Clock::time_point start = Clock::now();
  const auto logged = [&](Clock::duration after) {
    testing::internal::CaptureStderr();
    limit.log(start + after, LogLevel::kError, "a full disk");
    return testing::internal::GetCapturedStderr();
  };
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(logged(i * 10ms).find("a full disk"), std::string::npos);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(logged(999ms), "");
  const std::string later = logged(1s);
  EXPECT_NE(later.find("3 more lines like this left out"), std::string::npos);
  EXPECT_NE(later.find("a full disk"), std::string::npos);
  const std::string last = logged(3s);
  EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), 1) << last;
}

}  // namespace
}  // namespace brigade::detail
