#pragma once

// HttpSession: what a program remembers of one client from request to request:
// texts by their keys. HttpSessions::open() gives it out; it is a value, which
// a late answer may keep, and its HttpSessions outlives it.
//
//   brigade::HttpSession session = sessions_.open(request);
//   session.set("user", "ada");
//   brigade::HttpResponse response = brigade::HttpResponse::text("Welcome\n");
//   session.save(response);
//   http.send(response);
//
// Nothing is looked up before the first call that needs it, and nothing is kept
// before save(). The client gets its cookie with the response given to save(),
// which is then sent, or begins an answer in pieces.
//
// An id that the store does not know is never taken over from a client: a
// session that is not there begins empty, and gets an id when it is saved.
// Requests of one client that are handled at the same time have a copy each, of
// which the last one saved stays.
//
// When the store cannot be read the session is empty, save() answers with the
// error and changes nothing: what was kept is still there for the next request.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "brigade/Protocol/HttpResponse.h"

namespace brigade {

class HttpSessions;

class HttpSession {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  // The value, until that key changes; none when there is no such key.
  std::optional<std::string_view> get(std::string_view key);
  const Values& all();
  // Nothing is kept for this client yet.
  bool isNew();

  // Throws std::length_error, and changes nothing, when the session would be
  // longer than HttpSessionSettings::maxBytes.
  void set(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  // Every key; the session and its id stay.
  void clear();

  // The same values under a new id, from save() on; when that has succeeded the
  // old id is nobody's any more. For the request in which a client logs in (or
  // gains any right): whoever has planted or seen the id before has nothing of
  // it.
  void regenerate();
  // At once: the client is logged out, whatever becomes of the answer. What is
  // set behind it begins a new session. The error when the store has failed:
  // then the session is still there.
  std::error_code destroy();

  // Keeps what has changed, for the lifetime from now on, and adds the cookie
  // to `response` when the client needs another one, with Cache-Control:
  // private unless it has that field. Without a change nothing is written; a
  // new session without any key is none. The result is the store's:
  // no_such_file_or_directory when another request has destroyed or regenerated
  // the session meanwhile, and then it stays gone. Other errors are logged too.
  // Throws std::system_error when the kernel has no random bytes.
  std::error_code save(HttpResponse& response);

 private:
  friend class HttpSessions;

  HttpSession(HttpSessions& sessions, std::vector<std::string> offered)
      : sessions_(&sessions), offered_(std::move(offered)) {}

  enum class Cookie : std::uint8_t { kAsItIs, kSet, kDelete };

  void load();
  bool take(std::string_view id);
  std::error_code write();
  std::error_code create();
  void addCookie(HttpResponse& response);

  HttpSessions* sessions_;
  std::vector<std::string> offered_;  // ids in the client's cookies
  std::string id_;                    // empty: it is not in the store
  std::string replaced_;              // by regenerate(), until it is saved
  Values values_;
  std::size_t bytes_ = 0;  // of the values, as they are kept
  std::error_code unread_;
  bool loaded_ = false;
  bool changed_ = false;
  Cookie cookie_ = Cookie::kAsItIs;
};

}  // namespace brigade
