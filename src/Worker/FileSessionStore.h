#pragma once

// FileSessionStore: each session is a file, named by its id, in a folder that
// is only for them, 0700. All processes of a program use it at the same time,
// and so may programs that run as one user.
//
//   ID          "brigade session 1 ", CRC-32 of the data in 8 hexadecimal
//               digits, "\n", the data; mtime is when the session expires
//   new-XXXXXX  one that is being written; rename(2) makes it a session
//
// A file is written aside and takes its name when it is whole, so no load ever
// sees a half one. Nothing is synced: after a power failure a file may be torn;
// its checksum tells, and it is no session. A session that has expired is not
// loaded from that moment on; its file goes a minute later, so that a process
// that has just loaded it can still prolong it. A folder that is removed while
// the program runs is made again with the next new session, if this process may
// do so.

#include <dirent.h>

#include <memory>
#include <string>
#include <string_view>

#include "brigade/Worker/SessionStore.h"

namespace brigade {

class FileSessionStore : public SessionStore {
 public:
  // Of one session's data; more is std::errc::file_too_large.
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

  // Touches nothing yet. A relative name is one of the current directory.
  explicit FileSessionStore(const std::string& folder);
  ~FileSessionStore() override;

  // Makes the folder, of which the parent is there. Throws std::system_error or
  // std::runtime_error, which name the folder, when that fails or when what is
  // there is no folder, a link, of another user, or open to others.
  void prepare(uid_t uid, gid_t gid) override;
  // Throws std::system_error when this process may not use the folder.
  void prepareProcess() override;

  std::size_t maxBytes() const override { return kMaxBytes; }
  std::error_code load(std::string_view id, SessionTime now,
                       StoredSession& session) override;
  std::error_code create(std::string_view id, std::string_view data,
                         SessionTime expires) override;
  std::error_code replace(std::string_view id, std::string_view data,
                          SessionTime expires) override;
  std::error_code rename(std::string_view id, std::string_view newId,
                         std::string_view data, SessionTime expires) override;
  std::error_code prolong(std::string_view id, SessionTime expires) override;
  std::error_code remove(std::string_view id) override;
  // Throws std::system_error; the next call goes on behind what has failed.
  bool collect(SessionTime now, std::size_t atMost) override;

 private:
  class NewFile;
  struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };

  bool makeAgain() const;
  std::string pathOf(std::string_view id) const;
  void collectEntry(int folder, const char* name, SessionTime now) const;

  std::string folder_;
  std::unique_ptr<DIR, CloseFolder> sweep_;  // one that is under way
};

}  // namespace brigade
