#include "brigade/Worker/HttpSession.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "tests/Worker/SessionFixture.h"

namespace brigade {
namespace {

using HttpSessionTest = testing::SessionFixture;

TEST_F(HttpSessionTest, GivesBackWhatWasSet) {
  const std::string key("a\0=;\r\n", 6);
  const std::string value("\0\xff\x80 any bytes\r\n", 15);
  HttpSession first = open();
  EXPECT_TRUE(first.isNew());
  first.set(key, value);
  first.set("empty", "");
  EXPECT_EQ(first.get(key), value) << "before it is saved";
  HttpSession second = open(cookieOf(saved(first)));
  EXPECT_FALSE(second.isNew());
  EXPECT_EQ(second.get(key), value);
  EXPECT_EQ(second.get("empty"), "");
  EXPECT_EQ(second.get("other"), std::nullopt);
  EXPECT_EQ(second.all().size(), 2U);
}

TEST_F(HttpSessionTest, ErasesOneKeyAndAll) {
  HttpSession session = open(clientWith("a", "1"));
  session.set("b", "2");
  session.erase("a");
  session.erase("none");
  EXPECT_EQ(session.get("a"), std::nullopt);
  saved(session);
  session.clear();
  saved(session);
  EXPECT_TRUE(session.all().empty());
  EXPECT_FALSE(session.isNew()) << "it has its id still";
  EXPECT_EQ(shelf.sessions.size(), 1U);
  EXPECT_EQ(shelf.sessions.begin()->second.data, "");
}

TEST_F(HttpSessionTest, TouchesNoStoreBeforeItIsUsed) {
  const std::string cookie = clientWith("a", "1");
  shelf.loads = shelf.writes = 0;
  HttpSession session = open(cookie);
  EXPECT_EQ(saved(session), "");
  EXPECT_EQ(shelf.loads, 0U);
  EXPECT_EQ(session.get("a"), "1");
  EXPECT_EQ(session.get("b"), std::nullopt);
  EXPECT_EQ(shelf.loads, 1U);
}

TEST_F(HttpSessionTest, WritesOnlyWhatHasChanged) {
  HttpSession session = open(clientWith("a", "1"));
  const unsigned before = shelf.writes;
  session.set("a", "1");
  session.erase("b");
  EXPECT_EQ(saved(session), "");
  EXPECT_EQ(shelf.writes, before);
  session.set("a", "2");
  EXPECT_EQ(saved(session), "") << "the client has its cookie";
  EXPECT_EQ(saved(session), "");
  EXPECT_EQ(shelf.writes, before + 1);
}

TEST_F(HttpSessionTest, IsNoneUntilItHasAKey) {
  HttpSession session = open();
  EXPECT_EQ(session.get("a"), std::nullopt);
  session.set("a", "1");
  session.erase("a");
  session.regenerate();
  EXPECT_EQ(saved(session), "");
  EXPECT_TRUE(shelf.sessions.empty());
}

TEST_F(HttpSessionTest, ItsCookieIsForThisServerAndForNoScript) {
  HttpSession session = open();
  session.set("a", "1");
  HttpResponse response;
  session.save(response);
  const std::string id = shelf.sessions.begin()->first;
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(response.fields(), "Set-Cookie: session=" + id +
                                   "; Path=/; HttpOnly; SameSite=Lax\r\n"
                                   "Cache-Control: private\r\n");
  session.set("a", "2");
  EXPECT_EQ(saved(session), "") << "it has been sent";
}

TEST_F(HttpSessionTest, LeavesCacheControlToTheProgram) {
  HttpSession session = open();
  session.set("a", "1");
  HttpResponse response;
  response.set("cache-control", "no-store");
  session.save(response);
  EXPECT_EQ(response.header("Cache-Control"), "no-store");
}

TEST_F(HttpSessionTest, TakesNoIdOverThatWasNotIssued) {
  const std::string planted(32, 'a');
  HttpSession session = open("session=" + planted);
  EXPECT_TRUE(session.isNew());
  session.set("user", "victim");
  const std::string cookie = cookieOf(saved(session));
  EXPECT_NE(cookie, "session=" + planted);
  EXPECT_FALSE(shelf.sessions.contains(planted));
  EXPECT_EQ(open(cookie).get("user"), "victim");
}

TEST_F(HttpSessionTest, RegeneratedItHasAnotherIdAndTheOldOneIsNobodys) {
  const std::string before = clientWith("cart", "3 apples");
  HttpSession session = open(before);
  session.regenerate();
  session.set("user", "ada");
  EXPECT_EQ(open(before).get("cart"), "3 apples") << "until it is saved";
  const std::string after = cookieOf(saved(session));
  EXPECT_NE(after, before);
  EXPECT_NE(after, "");
  EXPECT_TRUE(open(before).isNew());
  EXPECT_EQ(open(after).get("user"), "ada");
  EXPECT_EQ(open(after).get("cart"), "3 apples");
  EXPECT_EQ(shelf.sessions.size(), 1U);
}

TEST_F(HttpSessionTest, DestroyedItIsGoneBeforeTheAnswer) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession session = open(cookie);
  EXPECT_EQ(session.destroy(), std::error_code());
  EXPECT_TRUE(shelf.sessions.empty());
  EXPECT_TRUE(session.isNew());
  EXPECT_EQ(session.get("user"), std::nullopt);
  EXPECT_EQ(saved(session),
            "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
  EXPECT_TRUE(open(cookie).isNew());
}

TEST_F(HttpSessionTest, WhatIsSetBehindDestroyIsANewSession) {
  const std::string before = clientWith("user", "ada");
  HttpSession session = open(before);
  session.destroy();
  session.set("message", "bye");
  const std::string after = cookieOf(saved(session));
  EXPECT_NE(after, before);
  EXPECT_EQ(open(after).get("message"), "bye");
  EXPECT_EQ(open(after).get("user"), std::nullopt);
}

TEST_F(HttpSessionTest, DestroyedAfterRegenerateItIsGoneUnderBothIds) {
  HttpSession session = open(clientWith("user", "ada"));
  session.regenerate();
  session.destroy();
  EXPECT_TRUE(shelf.sessions.empty());
}

TEST_F(HttpSessionTest, OneThatAnotherRequestHasDestroyedStaysGone) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession slow = open(cookie);
  slow.set("page", "2");
  open(cookie).destroy();
  HttpResponse response;
  EXPECT_EQ(slow.save(response), std::errc::no_such_file_or_directory);
  EXPECT_EQ(response.fields(), "");
  EXPECT_TRUE(open(cookie).isNew());
}

TEST_F(HttpSessionTest, RegenerateBringsNothingBackThatWasDestroyed) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession slow = open(cookie);
  slow.regenerate();
  open(cookie).destroy();
  HttpResponse response;
  EXPECT_EQ(slow.save(response), std::errc::no_such_file_or_directory);
  EXPECT_EQ(slow.save(response), std::errc::no_such_file_or_directory)
      << "nor does another try";
  EXPECT_EQ(response.fields(), "");
  EXPECT_TRUE(shelf.sessions.empty());
}

TEST_F(HttpSessionTest, OfTwoRequestsThatRegenerateOneGetsTheSession) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession first = open(cookie);
  HttpSession second = open(cookie);
  first.regenerate();
  second.regenerate();
  EXPECT_EQ(open(cookieOf(saved(second))).get("user"), "ada");
  HttpResponse response;
  EXPECT_EQ(first.save(response), std::errc::no_such_file_or_directory);
  EXPECT_EQ(response.fields(), "");
  EXPECT_EQ(shelf.sessions.size(), 1U);
}

TEST_F(HttpSessionTest, ARegenerateThatFailsLeavesTheOldIdAndCanBeTriedAgain) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession session = open(cookie);
  session.regenerate();
  const auto failure = std::make_error_code(std::errc::io_error);
  shelf.failure = failure;
  HttpResponse response;
  EXPECT_EQ(session.save(response), failure);
  EXPECT_EQ(response.fields(), "");
  shelf.failure = {};
  EXPECT_EQ(open(cookie).get("user"), "ada");
  EXPECT_EQ(open(cookieOf(saved(session))).get("user"), "ada");
  EXPECT_TRUE(open(cookie).isNew());
}

TEST_F(HttpSessionTest, OfTwoRequestsAtATimeTheLastOneSavedStays) {
  const std::string cookie = clientWith("a", "1");
  HttpSession first = open(cookie);
  HttpSession second = open(cookie);
  first.set("b", "first");
  second.set("c", "second");
  saved(second);
  saved(first);
  EXPECT_EQ(open(cookie).get("b"), "first");
  EXPECT_EQ(open(cookie).get("c"), std::nullopt);
}

TEST_F(HttpSessionTest, HoldsAsManyBytesAsTheSettingSaysAndNoMore) {
  with({.maxBytes = 100});
  HttpSession session = open();
  session.set("k", std::string(91 - 1, 'x'));  // 8 + 1 + 90: one less
  session.set("k", std::string(91, 'y'));      // all of it
  try {
    session.set("k", std::string(92, 'z'));
    FAIL() << "one too many was taken";
  } catch (const std::length_error& e) {
    EXPECT_STREQ(e.what(), "a session of 101 bytes: maxBytes is 100");
  }
  EXPECT_THROW(session.set("", ""), std::length_error);
  EXPECT_EQ(session.get("k"), std::string(91, 'y'));
  session.erase("k");
  session.set("l", std::string(91, 'z'));
  HttpSession again = open(cookieOf(saved(session)));
  EXPECT_EQ(again.get("l"), std::string(91, 'z'));
  EXPECT_THROW(again.set("m", ""), std::length_error);
  again.clear();
  again.set("m", std::string(91, 'm'));
}

TEST_F(HttpSessionTest, AStoreThatCannotBeReadLosesNothing) {
  const std::string cookie = clientWith("user", "ada");
  const auto failure = std::make_error_code(std::errc::too_many_files_open);
  shelf.failure = failure;
  HttpSession session = open(cookie);
  EXPECT_EQ(session.get("user"), std::nullopt);
  session.set("page", "2");
  shelf.failure = {};
  HttpResponse response;
  EXPECT_EQ(session.save(response), failure);
  EXPECT_EQ(response.fields(), "") << "the client keeps its cookie";
  EXPECT_EQ(open(cookie).get("user"), "ada");
  EXPECT_EQ(open(cookie).get("page"), std::nullopt);
}

TEST_F(HttpSessionTest, SaysThatItCouldNotBeReadWhateverWasDone) {
  const std::string cookie = clientWith("user", "ada");
  const auto failure = std::make_error_code(std::errc::too_many_files_open);
  using Step = void (*)(HttpSession&);
  const Step steps[] = {[](HttpSession& s) { s.get("user"); },
                        [](HttpSession& s) { s.erase("user"); },
                        [](HttpSession& s) { s.clear(); },
                        [](HttpSession& s) { s.regenerate(); }};
  for (const Step step : steps) {
    shelf.failure = failure;
    HttpSession session = open(cookie);
    step(session);
    shelf.failure = {};
    HttpResponse response;
    EXPECT_EQ(session.save(response), failure);
    EXPECT_EQ(response.fields(), "");
    EXPECT_EQ(open(cookie).get("user"), "ada");
  }
}

TEST_F(HttpSessionTest, AStoreThatCannotBeWrittenIsAValueAndNoCookie) {
  HttpSession session = open();
  session.set("a", "1");
  const auto full = std::make_error_code(std::errc::no_space_on_device);
  shelf.failure = full;
  HttpResponse response;
  EXPECT_EQ(session.save(response), full);
  EXPECT_EQ(response.fields(), "");
  shelf.failure = {};
  EXPECT_NE(saved(session), "") << "it can be tried again";
}

TEST_F(HttpSessionTest, SaysWhenItCouldNotBeDestroyed) {
  const std::string cookie = clientWith("user", "ada");
  HttpSession session = open(cookie);
  EXPECT_EQ(session.get("user"), "ada");
  const auto failure = std::make_error_code(std::errc::io_error);
  shelf.failure = failure;
  EXPECT_EQ(session.destroy(), failure);
  shelf.failure = {};
  EXPECT_EQ(open(cookie).get("user"), "ada");
  EXPECT_EQ(session.destroy(), std::error_code());
}

TEST_F(HttpSessionTest, WhatIsNoSessionInTheStoreIsNone) {
  const std::string cookie = clientWith("a", "1");
  StoredSession& stored = shelf.sessions.begin()->second;
  const std::string whole = stored.data;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    stored.data = whole.substr(0, size);
    EXPECT_TRUE(open(cookie).isNew()) << size;
  }
  stored.data = std::string(8, '\xff');
  EXPECT_TRUE(open(cookie).isNew());
}

}  // namespace
}  // namespace brigade
