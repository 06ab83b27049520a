#pragma once

// SessionFixture: sessions over a store in memory that counts what it is asked
// for, and a clock that the test moves.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "brigade/Protocol/detail/HttpParser.h"
#include "brigade/Worker/HttpSession.h"
#include "brigade/Worker/HttpSessions.h"
#include "brigade/Worker/HttpWorker.h"

namespace brigade::testing {

// What lies in a MemoryStore; outlives it.
struct MemoryShelf {
  std::map<std::string, StoredSession, std::less<>> sessions;
  unsigned loads = 0;
  unsigned writes = 0;
  unsigned prolonged = 0;
  std::error_code failure;  // of every call, when there is one
};

class MemoryStore : public SessionStore {
 public:
  explicit MemoryStore(MemoryShelf& shelf) : shelf_(shelf) {}

  std::error_code load(std::string_view id, SessionTime now,
                       StoredSession& session) override {
    ++shelf_.loads;
    if (shelf_.failure) return shelf_.failure;
    const auto found = shelf_.sessions.find(id);
    if (found == shelf_.sessions.end() || found->second.expires <= now) {
      return none();
    }
    session = found->second;
    return {};
  }
  std::error_code create(std::string_view id, std::string_view data,
                         SessionTime expires) override {
    ++shelf_.writes;
    if (shelf_.failure) return shelf_.failure;
    shelf_.sessions[std::string(id)] = {std::string(data), expires};
    return {};
  }
  std::error_code replace(std::string_view id, std::string_view data,
                          SessionTime expires) override {
    if (shelf_.failure) return shelf_.failure;
    return shelf_.sessions.contains(id) ? create(id, data, expires) : none();
  }
  std::error_code rename(std::string_view id, std::string_view newId,
                         std::string_view data, SessionTime expires) override {
    if (shelf_.failure) return shelf_.failure;
    if (!shelf_.sessions.contains(id)) return none();
    shelf_.sessions.erase(std::string(id));
    return create(newId, data, expires);
  }
  std::error_code prolong(std::string_view id, SessionTime expires) override {
    ++shelf_.prolonged;
    const auto found = shelf_.sessions.find(id);
    if (found == shelf_.sessions.end()) return none();
    found->second.expires = expires;
    return {};
  }
  std::error_code remove(std::string_view id) override {
    if (shelf_.failure) return shelf_.failure;
    shelf_.sessions.erase(std::string(id));
    return {};
  }
  bool collect(SessionTime, std::size_t) override { return false; }

 private:
  static std::error_code none() {
    return std::make_error_code(std::errc::no_such_file_or_directory);
  }

  MemoryShelf& shelf_;
};

class SessionFixture : public ::testing::Test {
 protected:
  HttpSessions& with(HttpSessionSettings settings) {
    settings.clock = [this] { return now; };
    sessions_.reset();
    sessions_ = std::make_unique<HttpSessions>(
        worker, std::make_unique<MemoryStore>(shelf), std::move(settings));
    return *sessions_;
  }

  // The session of who sends this field Cookie; none when it is empty.
  HttpSession open(const std::string& cookies = {}) {
    return openHead(cookies.empty() ? "" : "Cookie: " + cookies + "\r\n");
  }
  HttpSession openHead(const std::string& fields) {
    if (!sessions_) with({});
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    HttpRequest request;
    detail::HttpParser::Resume resume;
    detail::HttpParser::parse(head, resume, {}, request);
    return sessions_->open(request);
  }

  // The field Set-Cookie of an answer that the session is saved with.
  static std::string saved(HttpSession& session) {
    HttpResponse response;
    EXPECT_EQ(session.save(response), std::error_code());
    return std::string(response.header("Set-Cookie").value_or(""));
  }
  // What a client sends back: "session=ID".
  static std::string cookieOf(const std::string& setCookie) {
    return setCookie.substr(0, setCookie.find(';'));
  }
  // The cookie of a client that has this in its session.
  std::string clientWith(const std::string& key, const std::string& value) {
    HttpSession session = open();
    session.set(key, value);
    return cookieOf(saved(session));
  }

  HttpWorker worker{"http://127.0.0.1:0"};
  MemoryShelf shelf;
  SessionTime now{std::chrono::seconds(1'000'000'000)};

 private:
  std::unique_ptr<HttpSessions> sessions_;
};

}  // namespace brigade::testing
