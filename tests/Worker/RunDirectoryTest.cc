#include "brigade/Worker/detail/RunDirectory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <system_error>

#include "tests/support/TempDirectory.h"

namespace brigade::detail {
namespace {

// Root may write anywhere: for a while it is nobody.
class NotRoot {
 public:
  NotRoot() { EXPECT_EQ(::seteuid(user_ == 0 ? 65534 : user_), 0); }
  ~NotRoot() { EXPECT_EQ(::seteuid(user_), 0); }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;

 private:
  const uid_t user_ = ::geteuid();
};

std::string complaintOf(const std::string& path) {
  try {
    checkFile("the log", path, "/nowhere/run");
    return "none";
  } catch (const std::system_error& e) {
    return e.what();
  }
}

TEST(RunDirectory, TheCheckFindsFoldersThatMayNotBeWrittenTo) {
  const test::TempDirectory folder;
  ASSERT_EQ(::mkdir((folder / "in").c_str(), 0700), 0);
  EXPECT_EQ(complaintOf(folder / "a.log"), "none");
  ASSERT_EQ(::chmod(folder.name().c_str(), 0500), 0);
  {
    const NotRoot notRoot;
    EXPECT_EQ(complaintOf(folder / "a.log"),
              "cannot open the log " + (folder / "a.log: Permission denied"));
  }
  ASSERT_EQ(::chmod(folder.name().c_str(), 0000), 0);
  {
    const NotRoot notRoot;
    const std::string inside = folder / "in/a.log";
    EXPECT_EQ(complaintOf(inside),
              "cannot open the log " + inside + ": Permission denied");
  }
  ASSERT_EQ(::chmod(folder.name().c_str(), 0700), 0);
}

}  // namespace
}  // namespace brigade::detail
