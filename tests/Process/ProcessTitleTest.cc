#include "brigade/Process/ProcessTitle.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace brigade {
namespace {

TEST(ProcessTitleTest, TheTitleTakesTheArgumentsPlaceAndLosesNothing) {
  // Arguments as the kernel lays them: one behind the other.
  std::vector<char> memory(64, '\0');
  std::strcpy(memory.data(), "program");
  std::strcpy(memory.data() + 8, "argument");
  char* argv[] = {memory.data(), memory.data() + 8, nullptr};
  const pid_t child = ::fork();
  if (child == 0) {
    initProcessTitle(2, argv);
    setProcessTitle("a title that is longer than all of it");
    const bool cut = std::string(memory.data()) == "a title that is ";
    const bool kept = std::strcmp(argv[1], "argument") == 0;
    setProcessTitle("short");
    const bool replaced = std::string(memory.data()) == "short";
    ::_exit(cut && kept && replaced ? 0 : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ProcessTitleTest, WithoutInitNothingHappens) {
  setProcessTitle("nowhere to write");
  EXPECT_NE(std::getenv("PATH"), nullptr);
}

}  // namespace
}  // namespace brigade
