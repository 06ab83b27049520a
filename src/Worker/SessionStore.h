#pragma once

// SessionStore: where the sessions of an HttpWorker are kept: bytes under an
// id, until a time. All worker processes of a program have one store, each with
// its copy of this object, so what it keeps lies outside of them: in files, in
// a database. FileSessionStore is the one that comes with brigade.
//
// A call holds the worker process until it returns. Those for one session do
// not throw: what went wrong is the result, and
// std::errc::no_such_file_or_directory says that there is no such session. An
// id is 32 digits of 0-9 and a-f, whoever asks.
//
// Two processes that save one session at a time: the last one wins, whole;
// nobody ever loads a mixture.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

namespace brigade {

// The clock on the wall: sessions outlive processes, and a boot.
using SessionTime = std::chrono::sys_seconds;

struct StoredSession {
  std::string data;
  SessionTime expires{};
};

class SessionStore {
 public:
  virtual ~SessionStore() = default;

  // In the master before the first fork, perhaps as root; the worker processes
  // will be these. An exception is the reason why the program does not start.
  virtual void prepare(uid_t, gid_t) {}
  // In a worker process, before it is ready: where a store connects. An
  // exception means that the process cannot start.
  virtual void prepareProcess() {}

  // The most that it keeps of one session. HttpSessions refuses a larger
  // HttpSessionSettings::maxBytes.
  virtual std::size_t maxBytes() const {
    return std::numeric_limits<std::size_t>::max();
  }

  // No such session: also one that expires at `now` or before, or whose bytes
  // are not those that were saved. After an error `session` means nothing.
  virtual std::error_code load(std::string_view id, SessionTime now,
                               StoredSession& session) = 0;
  // A new session.
  virtual std::error_code create(std::string_view id, std::string_view data,
                                 SessionTime expires) = 0;
  // Other bytes for one that is there. It never brings back one that was
  // removed meanwhile: no such session.
  virtual std::error_code replace(std::string_view id, std::string_view data,
                                  SessionTime expires) = 0;
  // Other bytes for one that is there, under another id. Of several that rename
  // one session one gets it; for the others, and when it was removed meanwhile,
  // there is no such session. After another error it is there as it was.
  virtual std::error_code rename(std::string_view id, std::string_view newId,
                                 std::string_view data,
                                 SessionTime expires) = 0;
  // The same bytes, for longer.
  virtual std::error_code prolong(std::string_view id, SessionTime expires) = 0;
  // No error when there is none.
  virtual std::error_code remove(std::string_view id) = 0;

  // Looks at up to `atMost` sessions and removes those that have expired; the
  // next call goes on from there. False: it has seen them all, and the next
  // call begins anew. One process of a Worker does this, but others may remove
  // sessions at the same time. Throws std::system_error, or what else it likes,
  // when it cannot: it is logged, and called again after collectInterval.
  virtual bool collect(SessionTime now, std::size_t atMost) = 0;
};

}  // namespace brigade
