#pragma once

// Identity: the user and groups a worker process runs as. Looked up in the
// master before the fork, taken on in the child.

#include <sys/types.h>

#include <stdexcept>
#include <string>

namespace brigade {

// "user 'nosuch': no such user", "group ...", "cannot become user 'www-data':
// not root".
class UnknownUser : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Identity {
  uid_t uid;
  gid_t gid;
  std::string user;  // for initgroups(3)
  bool changes;      // false: already is what this process is

  // Empty names stand for what this process is; a user without a group gets
  // the user's own. Throws UnknownUser, also when a change is wanted and this
  // process is not root.
  static Identity find(const std::string& user, const std::string& group);

  // initgroups, setgid, setuid, then checks that there is no way back. Throws
  // std::system_error.
  void takeOn() const;
};

}  // namespace brigade
