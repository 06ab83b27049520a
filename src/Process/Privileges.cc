#include "brigade/Process/Privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace brigade {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw UnknownUser(text); }

[[noreturn]] void failed(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Identity Identity::find(const std::string& user, const std::string& group) {
  Identity identity{::geteuid(), ::getegid(), user, false};
  if (!user.empty()) {
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) refuse("user '" + user + "': no such user");
    identity.uid = entry->pw_uid;
    identity.gid = entry->pw_gid;
  }
  if (!group.empty()) {
    const ::group* entry = ::getgrnam(group.c_str());
    if (entry == nullptr) refuse("group '" + group + "': no such group");
    identity.gid = entry->gr_gid;
  }
  identity.changes = identity.uid != ::geteuid() || identity.gid != ::getegid();
  if (identity.changes && ::geteuid() != 0) {
    refuse("cannot become " +
           (user.empty() ? "group '" + group : "user '" + user) +
           "': not root");
  }
  return identity;
}

void Identity::takeOn() const {
  if (!changes) return;
  const int groups =
      user.empty() ? ::setgroups(1, &gid) : ::initgroups(user.c_str(), gid);
  if (groups != 0) failed("cannot set the groups of the process");
  if (::setgid(gid) != 0) failed("cannot set the group of the process");
  if (::setuid(uid) != 0) failed("cannot set the user of the process");
  if (uid != 0 && ::setuid(0) == 0) {
    throw std::runtime_error("root could be had back after setuid");
  }
}

}  // namespace brigade
