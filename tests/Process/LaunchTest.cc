#include "brigade/Process/Launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/TempDirectory.h"

namespace brigade::test {
namespace {

namespace fs = std::filesystem;

// As main() is given them.
struct Arguments {
  explicit Arguments(std::vector<std::string> given)
      : strings(std::move(given)) {
    for (std::string& each : strings) pointers.push_back(each.data());
    pointers.push_back(nullptr);
  }
  int count() const { return static_cast<int>(strings.size()); }

  std::vector<std::string> strings;
  std::vector<char*> pointers;
};

std::string self() { return fs::read_symlink("/proc/self/exe"); }

std::string nameOfProcess() {
  std::string name;
  std::getline(std::ifstream("/proc/self/comm"), name);
  return name;
}

TEST(LaunchTest, CodeThatFollowsIsNamedAfterItsFile) {
  const std::string before = nameOfProcess();
  Arguments own({self()});
  Launch launch(own.count(), own.pointers.data());
  launch.resumeAs("/somewhere/server");
  EXPECT_EQ(nameOfProcess(), "server");
  EXPECT_EQ(launch.path(), "/somewhere/server");
  launch.resumeAs("/somewhere/" + before);
  EXPECT_EQ(nameOfProcess(), before);
}

TEST(LaunchTest, FindsItsOwnFileAndNoOther) {
  TempDirectory folder;
  fs::create_symlink(self(), folder.name() + "/link");
  Arguments link({folder.name() + "/link"});
  EXPECT_EQ(Launch(link.count(), link.pointers.data()).path(),
            folder.name() + "/link");
  // A name that is somebody else's, and none at all.
  Arguments other({"/bin/sh"});
  EXPECT_EQ(Launch(other.count(), other.pointers.data()).path(), self());
  Arguments none({});
  EXPECT_EQ(Launch(none.count(), none.pointers.data()).path(), self());
}

TEST(LaunchTest, ALinkThatIsTurnedToAnotherFileIsNewCode) {
  TempDirectory folder;
  const std::string link = folder.name() + "/link";
  fs::create_symlink(self(), link);
  Arguments arguments({link});
  const Launch launch(arguments.count(), arguments.pointers.data());
  EXPECT_FALSE(launch.isReplaced());
  EXPECT_FALSE(launch.isGone());
  fs::create_symlink("/bin/sh", link + "2");
  fs::rename(link + "2", link);
  EXPECT_TRUE(launch.isReplaced());
  // While it is being installed there may be none: that is no new code.
  fs::remove(link);
  EXPECT_FALSE(launch.isReplaced());
  EXPECT_TRUE(launch.isGone());
  EXPECT_THROW(launch.open(), std::system_error);
}

TEST(LaunchTest, AnImageGetsArgumentsDirectoryAndVariableOfTheStart) {
  TempDirectory folder;
  const std::string out = folder.name() + "/out";
  Arguments arguments(
      {"sh", "-c", "echo \"$1 $2 $BRIGADE_TEST $PWD\" > " + out, "sh", "one"});
  const fs::path here = fs::current_path();
  const Launch launch(arguments.count(), arguments.pointers.data());
  const FileDescriptor shell(::open("/bin/sh", O_RDONLY | O_CLOEXEC));
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("BRIGADE_TEST", "old", 1);
    if (::chdir("/") == 0) {
      launch.execute(shell.get(), {"two"}, "BRIGADE_TEST=new");
    }
    ::_exit(1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::ifstream file(out);
  const std::string said{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(said, "one two new " + here.string() + "\n");
}

TEST(LaunchTest, WhatCannotRunReturns) {
  Arguments arguments({"x"});
  const Launch launch(arguments.count(), arguments.pointers.data());
  const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const pid_t child = ::fork();
  if (child == 0) {
    launch.execute(nothing.get(), {}, "X=1");
    ::_exit(errno == EACCES ? 7 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

}  // namespace
}  // namespace brigade::test
