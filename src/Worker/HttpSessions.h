#pragma once

// HttpSessions: the sessions of an HttpWorker, a member of it:
//
//   class Site : public brigade::HttpWorker {
//     ...
//     brigade::HttpSessions sessions_{*this, {.secure = true}};
//   };
//
// All worker processes, and those that follow them after a reload or a crash,
// have the same sessions. One process removes those that have expired, little
// by little. A program without this member pays nothing for it.
//
// The cookie holds 128 random bits and is HttpOnly and Path=/.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "brigade/Events/EventInterface.h"
#include "brigade/Protocol/HttpRequest.h"
#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Worker/HttpSession.h"
#include "brigade/Worker/SessionStore.h"

namespace brigade {

class HttpWorker;
namespace detail {
class MasterSessionStore;
struct Service;
class WorkerProcess;
}  // namespace detail

struct HttpSessionSettings {
  // kFiles: they outlive everything but the folder. kMaster: in the memory of
  // the master, 64 MiB in all; they outlive each worker process, by a reload or
  // a crash, and are gone after a restart. Each Worker has its own.
  enum class Place : std::uint8_t { kFiles, kMaster };
  Place place = Place::kFiles;
  // Of the files, for who brings no store: made by the master, 0700, owned by
  // the worker's user. Empty: NAME.sessions in the run directory, where NAME is
  // the worker's; two Workers of which these are the same are refused at start.
  // Workers that are to share their sessions name one folder.
  std::string folder = {};
  std::string cookieName = "session";
  bool secure = false;  // the cookie travels over https only
  HttpCookie::SameSite sameSite = HttpCookie::SameSite::kLax;
  // Since the last request that has used the session. As PHP and Workerman.
  std::chrono::seconds lifetime = std::chrono::minutes(24);
  // kBrowser: the client forgets the cookie when it ends. kLifetime: it keeps
  // the cookie for as long as the session, from each save() on.
  enum class Keep : std::uint8_t { kBrowser, kLifetime };
  Keep keep = Keep::kBrowser;
  // Of one session, with all keys and values and 8 bytes for each pair; up to
  // what the store takes, 16 MiB for files, 61,432 bytes in the master. 0: 64
  // KiB, or as much as the store takes.
  std::size_t maxBytes = 0;
  // Between the end of one collection of expired sessions and the next.
  std::chrono::seconds collectInterval = std::chrono::minutes(1);
  // What time it is; empty: the system's. For tests.
  std::function<SessionTime()> clock = {};
};

class HttpSessions {
 public:
  // In the program, before run(). An HttpWorker has one HttpSessions, and
  // outlives it. Throws std::invalid_argument for a name that no cookie may
  // have, a lifetime or interval below a second, more bytes than the store
  // takes and a folder for what is in no files, and std::logic_error for a
  // second HttpSessions.
  explicit HttpSessions(HttpWorker& worker, HttpSessionSettings settings = {});
  HttpSessions(HttpWorker& worker, std::unique_ptr<SessionStore> store,
               HttpSessionSettings settings = {});
  ~HttpSessions();
  HttpSessions(const HttpSessions&) = delete;
  HttpSessions& operator=(const HttpSessions&) = delete;

  // In a worker process. The session of the client that has sent this, perhaps
  // a new one. Of several cookies of the name those that could be ids are
  // tried, four at most: what else a client sends costs the store nothing.
  HttpSession open(const HttpRequest& request);

 private:
  friend class HttpSession;
  friend class HttpWorker;

  void prepare(const detail::Service& service);
  void prepareProcess(detail::WorkerProcess& process);
  void collectAfter(Clock::duration delay);
  void collect();
  SessionTime now() const;
  // Logs an error, not too often, and passes it on.
  std::error_code noted(std::string_view what, std::error_code error);

  HttpWorker& worker_;
  HttpSessionSettings settings_;
  std::unique_ptr<SessionStore> store_;
  detail::MasterSessionStore* inMaster_ = nullptr;  // the store, if it is that
  SessionTime nextNote_{};
};

}  // namespace brigade
