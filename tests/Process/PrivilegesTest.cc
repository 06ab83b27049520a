#include "brigade/Process/Privileges.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace brigade {
namespace {

std::string refusal(const std::string& user, const std::string& group) {
  try {
    Identity::find(user, group);
  } catch (const UnknownUser& e) {
    return e.what();
  }
  return "";
}

TEST(PrivilegesTest, NobodyInParticularIsThisProcess) {
  const Identity identity = Identity::find("", "");
  EXPECT_FALSE(identity.changes);
  EXPECT_EQ(identity.uid, ::geteuid());
}

TEST(PrivilegesTest, UnknownNamesAreNamed) {
  EXPECT_EQ(refusal("no-such-user", ""), "user 'no-such-user': no such user");
  EXPECT_EQ(refusal("", "no-such-group"),
            "group 'no-such-group': no such group");
}

TEST(PrivilegesTest, RootBecomesNobodyForGoodAndOthersMayNot) {
  if (::geteuid() != 0) {
    EXPECT_EQ(refusal("nobody", ""), "cannot become user 'nobody': not root");
    return;
  }
  const Identity nobody = Identity::find("nobody", "");
  const pid_t child = ::fork();
  if (child == 0) {
    nobody.takeOn();
    ::_exit(::getuid() == nobody.uid && ::getgid() == nobody.gid &&
                    ::setuid(0) != 0
                ? 0
                : 1);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace brigade
