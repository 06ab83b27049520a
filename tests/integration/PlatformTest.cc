// Where brigade does not run, it says so.

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"

namespace brigade::test {
namespace {

constexpr const char* kRefusal = "brigade runs on Linux only";

TEST(Platform, M02_AnotherSystemIsTheFirstThingACompilerSays) {
  const TempDirectory directory;
  const std::string program = directory / "program.cc";
  std::ofstream(program) << "#include <brigade/brigade.h>\nint main() {}\n";
  std::vector<std::string> command{BRIGADE_COMPILER, "-std=c++20",
                                   "-fsyntax-only",  "-I",
                                   BRIGADE_INCLUDES, program};
  EXPECT_EQ(runCommand(command).code, 0) << "here it runs";
  command.insert(command.begin() + 1, "-U__linux__");
  const Outcome elsewhere = runCommand(command);
  EXPECT_GT(elsewhere.code, 0);
  const auto error = elsewhere.err.find("error");
  ASSERT_NE(error, std::string::npos) << elsewhere.err;
  const std::string line =
      elsewhere.err.substr(error, elsewhere.err.find('\n', error) - error);
  EXPECT_NE(line.find(kRefusal), std::string::npos) << elsewhere.err;
}

TEST(Platform, M02_CMakeRefusesAnotherSystem) {
  const TempDirectory directory;
  const Outcome outcome =
      runCommand({BRIGADE_CMAKE, "-S", BRIGADE_SOURCES, "-B", directory.name(),
                  "-D", "CMAKE_SYSTEM_NAME=FreeBSD", "-D",
                  "CMAKE_CXX_COMPILER=" BRIGADE_COMPILER});
  EXPECT_GT(outcome.code, 0);
  EXPECT_NE(outcome.err.find(kRefusal), std::string::npos) << outcome.err;
}

TEST(Platform, M02_TheReadmeSaysSo) {
  std::ostringstream text;
  text << std::ifstream(BRIGADE_SOURCES "/README.md").rdbuf();
  EXPECT_NE(text.str().find("* Linux 5.4 or newer (pidfd). No other system"),
            std::string::npos);
}

}  // namespace
}  // namespace brigade::test
