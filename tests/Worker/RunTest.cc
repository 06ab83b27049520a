// What run() refuses by itself; what it starts is tested with real programs in
// tests/integration.

#include "brigade/Worker/Run.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "brigade/Worker/Worker.h"

namespace brigade {
namespace {

int runWith(std::vector<std::string> words,
            const std::vector<Worker*>& workers) {
  words.insert(words.begin(), "program");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return run(static_cast<int>(words.size()), argv.data(), workers);
}

TEST(RunTest, AProgramWithoutWorkersIsBadUsage) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(runWith({"start"}, {}), 2);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "program: there is no Worker to run\n");
}

TEST(RunTest, AnOptionForAWorkerThatIsNotThereIsBadUsage) {
  Worker worker("text://127.0.0.1:0");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(
      runWith({"start", "--listen", "other=text://127.0.0.1:0"}, {&worker}), 2);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("'other'"),
            std::string::npos);
}

}  // namespace
}  // namespace brigade
