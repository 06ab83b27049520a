#include "brigade/Worker/HttpSessions.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "brigade/Worker/FileSessionStore.h"
#include "tests/Worker/SessionFixture.h"

namespace brigade {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Keep = HttpSessionSettings::Keep;

using HttpSessionsTest = testing::SessionFixture;

TEST_F(HttpSessionsTest, ASessionEndsItsLifetimeAfterItsLastUse) {
  with({.lifetime = minutes(24)});
  const std::string cookie = clientWith("a", "1");
  for (int i = 0; i < 5; ++i) {
    now += minutes(24) - seconds(1);
    EXPECT_EQ(open(cookie).get("a"), "1") << i;
  }
  now += minutes(24);
  EXPECT_TRUE(open(cookie).isNew());
}

TEST_F(HttpSessionsTest, ABusyClientProlongsItsSessionNowAndThenOnly) {
  with({.lifetime = minutes(16)});
  const std::string cookie = clientWith("a", "1");
  for (int i = 0; i < 600; ++i) {
    open(cookie).get("a");
    now += seconds(1);
  }
  EXPECT_GE(shelf.prolonged, 8U);
  EXPECT_LE(shelf.prolonged, 10U);
}

TEST_F(HttpSessionsTest, TheCookieIsAsTheSettingsSay) {
  with({.cookieName = "__Host-s",
        .secure = true,
        .sameSite = HttpCookie::SameSite::kStrict,
        .lifetime = seconds(90),
        .keep = Keep::kLifetime});
  HttpSession session = open();
  session.set("a", "1");
  const std::string field = saved(session);
  const std::string id = shelf.sessions.begin()->first;
  const std::string expected =
      "__Host-s=" + id +
      "; Path=/; Max-Age=90; Secure; HttpOnly; SameSite=Strict";
  EXPECT_EQ(field, expected);
  HttpSession again = open("__Host-s=" + id);
  EXPECT_EQ(again.get("a"), "1");
  EXPECT_EQ(saved(again), expected) << "the client keeps it for longer";
}

TEST_F(HttpSessionsTest, WhatIsNoIdCostsTheStoreNothing) {
  const std::string id(32, 'a');
  const std::string cases[] = {
      "session=",
      "session",
      "session=../../etc/passwd",
      "session=" + id.substr(1),
      "session=" + id + "a",
      "session=" + id + "/../x",
      "session=\"" + id + "\"",
      "session=" + std::string(32, 'A'),
      "session=" + std::string(32, '.'),
      "session=" + std::string(32, '/'),
      "session=" + std::string(31, 'a') + "g",
      "session=%61" + id.substr(1),
      "session=" + std::string(10'000, 'a'),
      "Session=" + id,
      "sessions=" + id,
      "x=session=" + id,
      "=" + id,
      ";;;;=;session",
  };
  for (const std::string& cookies : cases) {
    EXPECT_TRUE(open(cookies).isNew()) << cookies;
    EXPECT_EQ(shelf.loads, 0U) << cookies;
  }
}

TEST_F(HttpSessionsTest, OfManyIdsFourAreTried) {
  std::string cookies;
  for (int i = 0; i < 100; ++i)
    cookies += "session=" + std::string(32, 'a') + "; ";
  EXPECT_TRUE(open(cookies).isNew());
  EXPECT_EQ(shelf.loads, 4U);
}

TEST_F(HttpSessionsTest, ACookieOfThatNameThatNobodyKnowsHidesNoOther) {
  const std::string cookie = clientWith("a", "1");
  const std::string stale = "session=" + std::string(32, 'b');
  EXPECT_EQ(open(stale + "; x=y; session=short; " + cookie).get("a"), "1");
  EXPECT_EQ(open(cookie + "; " + stale).get("a"), "1");
  EXPECT_EQ(
      openHead("Cookie: " + stale + "\r\ncOOKIE: " + cookie + "\r\n").get("a"),
      "1");
}

TEST_F(HttpSessionsTest, RefusesMoreBytesThanTheStoreTakes) {
  constexpr std::size_t kMost = FileSessionStore::kMaxBytes;
  for (const std::string folder : {"", "/folder"}) {
    const HttpSessionSettings most{.folder = folder, .maxBytes = kMost};
    EXPECT_NO_THROW(HttpSessions(worker, most));
    try {
      HttpSessions(worker, {.folder = folder, .maxBytes = kMost + 1});
      FAIL() << "one too many was taken";
    } catch (const std::invalid_argument& e) {
      EXPECT_STREQ(e.what(),
                   "HttpSessions: maxBytes is 16777217, and the store takes "
                   "16777216");
    }
  }
  EXPECT_NO_THROW(with({.maxBytes = kMost + 1})) << "another store";
}

TEST_F(HttpSessionsTest, RefusesSettingsThatCannotBe) {
  EXPECT_THROW(with({.cookieName = "a b"}), std::invalid_argument);
  EXPECT_THROW(with({.cookieName = ""}), std::invalid_argument);
  EXPECT_THROW(with({.lifetime = seconds(0)}), std::invalid_argument);
  EXPECT_THROW(with({.collectInterval = seconds(0)}), std::invalid_argument);
  with({});
  EXPECT_THROW(HttpSessions(worker, HttpSessionSettings{}), std::logic_error);
}

}  // namespace
}  // namespace brigade
