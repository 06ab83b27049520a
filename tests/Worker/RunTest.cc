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

TEST(RunTest, ANameMayHoldWhatAddressesAreMadeOf) {
  // The settings are taken, and then this address is refused: nothing starts.
  for (const char* name : {"a=b", "a:b"}) {
    Worker worker("text://127.0.0.1:0");
    worker.name = name;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(runWith({"start", "--workers", std::string(name) + "=3",
                       "--listen", std::string(name) + "=nonsense:///x=y"},
                      {&worker}),
              2);
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("nonsense:///x=y"),
              std::string::npos);
    EXPECT_EQ(worker.count, 3u);
    EXPECT_EQ(worker.address, "nonsense:///x=y");
  }
}

}  // namespace
}  // namespace brigade
