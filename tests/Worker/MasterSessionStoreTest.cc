#include "brigade/Worker/detail/MasterSessionStore.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "brigade/Worker/HttpSessions.h"
#include "brigade/Worker/HttpWorker.h"
#include "tests/Process/support/BusyMaster.h"

namespace brigade::test {
namespace {

using detail::MasterSessionStore;
using std::chrono::seconds;

// The stores of two processes.
class MasterSessionStoreTest : public BusyMaster {
 protected:
  void SetUp() override {
    openOwn(2);
    for (auto* const store : {&one, &two}) store->setScope("site");
    one.setTable(table(1));
    two.setTable(table(2));
    work();
  }
  static std::string id(int number) {
    const std::string digits = std::to_string(number);
    return std::string(32 - digits.size(), 'a') + digits;
  }
  // The data of a session, or "none", or what is wrong.
  std::string loaded(int number) {
    StoredSession session;
    const std::error_code error = two.load(id(number), now, session);
    if (error == std::errc::no_such_file_or_directory) return "none";
    return error ? error.message() : session.data;
  }

  MasterSessionStore one, two;
  SessionTime now =
      std::chrono::floor<seconds>(std::chrono::system_clock::now());
};

TEST_F(MasterSessionStoreTest, WhatOneProcessSavesAnotherOneLoads) {
  const std::string bytes("\0any\r\n\xff", 7);
  ASSERT_FALSE(one.create(id(1), bytes, now + seconds(10)));
  StoredSession session;
  ASSERT_FALSE(two.load(id(1), now, session));
  EXPECT_EQ(session.data, bytes);
  EXPECT_EQ(session.expires, now + seconds(10));
  ASSERT_FALSE(two.replace(id(1), "more", now + seconds(30)));
  EXPECT_EQ(loaded(1), "more");
  EXPECT_FALSE(one.remove(id(1)));
  EXPECT_FALSE(two.remove(id(1))) << "none is no error";
  EXPECT_EQ(loaded(1), "none");
}

TEST_F(MasterSessionStoreTest, ASessionEndsAtItsSecond) {
  ASSERT_FALSE(one.create(id(1), "data", now + seconds(10)));
  now += seconds(9);
  EXPECT_EQ(loaded(1), "data");
  ASSERT_FALSE(two.prolong(id(1), now + seconds(5)));
  now += seconds(4);
  EXPECT_EQ(loaded(1), "data");
  now += seconds(1);
  EXPECT_EQ(loaded(1), "none");
  EXPECT_EQ(one.prolong(id(2), now), std::errc::no_such_file_or_directory);
}

TEST_F(MasterSessionStoreTest, NothingBringsBackWhatWasRemoved) {
  EXPECT_EQ(one.replace(id(1), "data", now + seconds(10)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(loaded(1), "none");
}

TEST_F(MasterSessionStoreTest, OfTwoThatRenameOneSessionOneGetsIt) {
  ASSERT_FALSE(one.create(id(1), "data", now + seconds(10)));
  EXPECT_FALSE(one.rename(id(1), id(2), "first", now + seconds(10)));
  EXPECT_EQ(two.rename(id(1), id(3), "second", now + seconds(10)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(loaded(1) + loaded(2) + loaded(3), "nonefirstnone");
}

TEST_F(MasterSessionStoreTest, TheLargestSessionFitsAndAByteMoreDoesNot) {
  const std::string largest(MasterSessionStore::kMaxBytes, 'x');
  ASSERT_FALSE(one.create(id(1), largest, now + seconds(10)));
  EXPECT_EQ(loaded(1), largest);
  EXPECT_EQ(one.replace(id(1), largest + "x", now + seconds(10)),
            std::errc::file_too_large);
  EXPECT_EQ(loaded(1), largest);
}

TEST_F(MasterSessionStoreTest, AFullMasterIsAnErrorAndKeepsWhatItHas) {
  const std::string large(60'000, 'x');
  std::error_code error;
  int made = 0;
  while (!(error = one.create(id(made), large, now + seconds(10)))) ++made;
  EXPECT_EQ(error, std::errc::no_space_on_device);
  EXPECT_GT(made, 1000);
  EXPECT_EQ(loaded(0), large);
  EXPECT_FALSE(one.remove(id(0)));
  EXPECT_FALSE(one.create(id(made), large, now + seconds(10)));
}

TEST_F(MasterSessionStoreTest, WorkersHaveTheirOwn) {
  two.setScope("another");
  ASSERT_FALSE(one.create(id(1), "data", now + seconds(10)));
  EXPECT_EQ(loaded(1), "none");
  EXPECT_THROW(two.setScope(std::string(201, 'n')), std::invalid_argument);
}

TEST(MasterSessionsTest, HaveNoFolderAndNoOtherStore) {
  using Place = HttpSessionSettings::Place;
  HttpWorker worker("http://127.0.0.1:0");
  EXPECT_THROW(
      HttpSessions(worker, {.place = Place::kMaster, .folder = "/tmp/x"}),
      std::invalid_argument);
  EXPECT_THROW(HttpSessions(worker, std::make_unique<MasterSessionStore>(),
                            {.place = Place::kMaster}),
               std::invalid_argument);
  EXPECT_THROW(
      HttpSessions(worker, {.place = Place::kMaster, .maxBytes = 64 * 1024}),
      std::invalid_argument);
  const HttpSessions fits(worker, {.place = Place::kMaster});
}

}  // namespace
}  // namespace brigade::test
