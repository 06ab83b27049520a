#include "brigade/Worker/FileSessionStore.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/TempDirectory.h"

namespace brigade {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class FileSessionStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { store.prepare(::geteuid(), ::getegid()); }

  // An id of which the last digits are that number.
  static std::string id(int number) {
    const std::string digits = std::to_string(number);
    return std::string(32 - digits.size(), 'a') + digits;
  }
  std::string file(const std::string& name) const {
    return folder + "/" + name;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
      found.push_back(entry.path().filename());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  std::size_t count() const { return names().size(); }
  void create(int number, SessionTime expires) {
    ASSERT_FALSE(store.create(id(number), "data", expires));
  }
  // The data of a session, or "none", or what is wrong.
  std::string loaded(const std::string& name) {
    StoredSession session;
    const std::error_code error = store.load(name, now, session);
    if (error == std::errc::no_such_file_or_directory) return "none";
    return error ? error.message() : session.data;
  }
  std::string reasonOfRefusal() {
    try {
      store.prepare(::geteuid(), ::getegid());
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  }

  const test::TempDirectory temp;
  const std::string folder = temp / "sessions";
  FileSessionStore store{folder};
  SessionTime now{seconds(1'000'000'000)};
};

TEST_F(FileSessionStoreTest, WhatOneProcessSavesAnotherOneLoads) {
  const std::string bytes("\0any\r\n\xff", 7);
  ASSERT_FALSE(store.create(id(1), bytes, now + seconds(10)));
  ASSERT_FALSE(store.create(id(2), "", now + seconds(20)));
  FileSessionStore other(folder);
  StoredSession session;
  ASSERT_FALSE(other.load(id(1), now, session));
  EXPECT_EQ(session.data, bytes);
  EXPECT_EQ(session.expires, now + seconds(10));
  ASSERT_FALSE(other.load(id(2), now, session));
  EXPECT_EQ(session.data, "");
  ASSERT_FALSE(other.replace(id(1), "more", now + seconds(30)));
  EXPECT_EQ(loaded(id(1)), "more");
  EXPECT_FALSE(other.remove(id(1)));
  EXPECT_FALSE(store.remove(id(1))) << "none is no error";
  EXPECT_EQ(loaded(id(1)), "none");
  EXPECT_EQ(names(), std::vector{id(2)});
}

TEST_F(FileSessionStoreTest, ASessionEndsAtItsSecond) {
  create(1, now + seconds(10));
  now += seconds(9);
  EXPECT_EQ(loaded(id(1)), "data");
  ASSERT_FALSE(store.prolong(id(1), now + seconds(5)));
  now += seconds(4);
  EXPECT_EQ(loaded(id(1)), "data");
  now += seconds(1);
  EXPECT_EQ(loaded(id(1)), "none");
  EXPECT_EQ(store.prolong(id(2), now), std::errc::no_such_file_or_directory);
}

TEST_F(FileSessionStoreTest, NothingBringsBackWhatWasRemoved) {
  EXPECT_EQ(store.replace(id(1), "data", now + seconds(10)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(count(), 0U) << "nor is anything left";
}

TEST_F(FileSessionStoreTest, ARenamedSessionIsThereUnderItsNewIdOnly) {
  create(1, now + seconds(10));
  EXPECT_FALSE(store.rename(id(1), id(2), "more", now + seconds(20)));
  EXPECT_EQ(loaded(id(1)), "none");
  EXPECT_EQ(loaded(id(2)), "more");
  EXPECT_EQ(store.rename(id(1), id(3), "x", now + seconds(20)),
            std::errc::no_such_file_or_directory);
  EXPECT_EQ(names(), std::vector{id(2)});
}

TEST_F(FileSessionStoreTest, ARenameThatFailsChangesNothing) {
  create(1, now + seconds(10));
  const std::string large(FileSessionStore::kMaxBytes + 1, 'x');
  EXPECT_EQ(store.rename(id(1), id(2), large, now), std::errc::file_too_large);
  EXPECT_EQ(store.rename(id(1), "no id", "x", now),
            std::errc::invalid_argument);
  EXPECT_EQ(loaded(id(1)), "data");
  // A folder cannot be unlinked, and stands for what cannot be.
  fs::create_directory(file(id(3)));
  EXPECT_TRUE(store.rename(id(3), id(4), "x", now));
  EXPECT_EQ(names(), (std::vector{id(1), id(3)}));
}

TEST_F(FileSessionStoreTest, ATornFileIsNoSession) {
  const std::string data = "some data";
  ASSERT_FALSE(store.create(id(1), data, now + seconds(10)));
  std::ifstream in(file(id(1)));
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const auto loadedAs = [&](const std::string& bytes) {
    std::ofstream(file(id(1))) << bytes;
    EXPECT_FALSE(store.prolong(id(1), now + seconds(10)));
    return loaded(id(1));
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    EXPECT_EQ(loadedAs(whole.substr(0, at)), "none") << at;
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 1);
    EXPECT_EQ(loadedAs(other), "none") << at;
    other[at] = '\0';
    EXPECT_EQ(loadedAs(other), "none") << at;
  }
  EXPECT_EQ(loadedAs(whole + "x"), "none");
  EXPECT_EQ(loadedAs(std::string(whole.size(), '\0')), "none");
  EXPECT_EQ(loadedAs(whole), data);
}

TEST_F(FileSessionStoreTest, WhatIsNoIdNamesNoFile) {
  std::ofstream(temp / "secret") << "secret";
  create(1, now + seconds(10));
  const std::string cases[] = {"",
                               ".",
                               "..",
                               "../secret",
                               id(1) + "/",
                               id(1).substr(1),
                               id(1) + "a",
                               std::string(32, 'A'),
                               std::string(32, '.'),
                               std::string(31, 'a') + '\0',
                               "../../../../../../../../../../tmp"};
  for (const std::string& name : cases) {
    EXPECT_EQ(loaded(name), "none") << name;
    EXPECT_EQ(store.create(name, "x", now), std::errc::invalid_argument);
    EXPECT_EQ(store.replace(name, "x", now),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(store.rename(name, id(2), "x", now),
              std::errc::no_such_file_or_directory);
    EXPECT_EQ(store.prolong(name, now), std::errc::no_such_file_or_directory);
    EXPECT_FALSE(store.remove(name));
  }
  EXPECT_TRUE(fs::exists(temp / "secret"));
  EXPECT_EQ(names(), std::vector{id(1)});
}

TEST_F(FileSessionStoreTest, WhatIsNoFileIsNoSession) {
  create(1, now + seconds(10));
  fs::create_symlink(file(id(1)), file(id(2)));
  fs::create_directory(file(id(3)));
  ASSERT_EQ(::mkfifo(file(id(4)).c_str(), 0600), 0);
  EXPECT_EQ(loaded(id(2)), "none");
  EXPECT_EQ(loaded(id(3)), "none");
  EXPECT_EQ(loaded(id(4)), "none") << "and waited for nobody";
}

TEST_F(FileSessionStoreTest, FolderAndFilesAreTheirOwnersOnly) {
  const mode_t before = ::umask(0);
  FileSessionStore other(temp / "other");
  other.prepare(::geteuid(), ::getegid());
  EXPECT_FALSE(other.create(id(1), "data", now));
  ::umask(before);
  struct stat info {};
  ASSERT_EQ(::stat((temp / "other").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
  ASSERT_EQ(::stat((temp / ("other/" + id(1))).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST_F(FileSessionStoreTest, RefusesAFolderThatOthersMayUse) {
  EXPECT_EQ(reasonOfRefusal(), "");
  ASSERT_EQ(::chmod(folder.c_str(), 0750), 0);
  EXPECT_NE(reasonOfRefusal().find(folder + ": it is open to others"),
            std::string::npos);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  EXPECT_THROW(store.prepare(::geteuid() + 1, ::getegid()), std::runtime_error);
  fs::rename(folder, temp / "moved");
  fs::create_directory_symlink(temp / "moved", folder);
  EXPECT_NE(reasonOfRefusal().find("it is none"), std::string::npos);
  fs::remove(folder);
  std::ofstream{folder};
  EXPECT_NE(reasonOfRefusal().find("it is none"), std::string::npos);
  EXPECT_THROW(FileSessionStore(temp / "no/where").prepare(0, 0),
               std::system_error);
}

TEST_F(FileSessionStoreTest, AFolderThatIsRefusedIsNotLeftBehind) {
  // No user has this number: chown(2) takes it for "as it is".
  const auto nobody = static_cast<uid_t>(-1);
  FileSessionStore other(temp / "other");
  EXPECT_THROW(other.prepare(nobody, ::getegid()), std::runtime_error);
  EXPECT_FALSE(fs::exists(temp / "other"));
  EXPECT_THROW(store.prepare(nobody, ::getegid()), std::runtime_error);
  EXPECT_TRUE(fs::exists(folder)) << "it was there before";
}

TEST_F(FileSessionStoreTest, AFolderThatIsRemovedIsMadeAgain) {
  create(1, now + seconds(10));
  fs::remove_all(folder);
  EXPECT_EQ(loaded(id(1)), "none");
  EXPECT_EQ(store.replace(id(1), "back", now + seconds(10)),
            std::errc::no_such_file_or_directory);
  create(2, now + seconds(10));
  EXPECT_EQ(loaded(id(2)), "data");
  struct stat info {};
  ASSERT_EQ(::stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
}

TEST_F(FileSessionStoreTest, SaysWhatWentWrongAndLeavesNothing) {
  const std::string large(FileSessionStore::kMaxBytes + 1, 'x');
  EXPECT_EQ(store.create(id(1), large, now), std::errc::file_too_large);
  EXPECT_EQ(count(), 0U);
  fs::remove(folder);
  EXPECT_THROW(store.prepareProcess(), std::system_error);
  EXPECT_THROW(store.collect(now, 10), std::system_error);
  std::ofstream(folder) << "no folder";
  EXPECT_TRUE(store.create(id(1), "data", now));
}

#ifndef __SANITIZE_ADDRESS__  // which ends the process instead
TEST_F(FileSessionStoreTest, WithoutMemoryForASessionItSaysSo) {
  const std::string data(FileSessionStore::kMaxBytes, 'x');
  ASSERT_FALSE(store.create(id(1), data, now + seconds(10)));
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{1, 1};
    if (::setrlimit(RLIMIT_AS, &none) != 0) ::_exit(100);
    // What the heap has left from earlier.
    std::vector<std::unique_ptr<char[]>> taken;
    taken.reserve(1024);
    try {
      while (taken.size() < taken.capacity()) {
        taken.push_back(std::make_unique<char[]>(1 << 20));
      }
    } catch (const std::bad_alloc&) {
    }
    try {
      StoredSession session;
      const std::error_code error = store.load(id(1), now, session);
      ::_exit(error == std::errc::not_enough_memory ? 0 : 1);
    } catch (const std::bad_alloc&) {
      ::_exit(2);
    }
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
#endif

TEST_F(FileSessionStoreTest, CollectsWhatExpiredAMinuteAgoAndNothingElse) {
  create(1, now - seconds(60));
  create(2, now - seconds(59));
  create(3, now + seconds(1));
  std::ofstream(file("new-abcdef")) << "of a process that was killed";
  std::ofstream(file("README")) << "somebody's";
  fs::create_directory(file(id(4)));
  const auto old = fs::file_time_type::clock::now() - std::chrono::years(60);
  for (const char* name : {"new-abcdef", "README"}) {
    fs::last_write_time(file(name), old);
  }
  fs::last_write_time(file(id(4)), old);
  EXPECT_FALSE(store.collect(now, 100));
  EXPECT_EQ(names(), (std::vector{std::string("README"), id(2), id(3), id(4)}));
}

// In a process that may not write the folder: root may always.
TEST_F(FileSessionStoreTest, SaysWhatItCannotCollectAndGoesOnBehindIt) {
  for (int i = 1; i <= 3; ++i) create(i, now - seconds(60));
  ASSERT_EQ(::chmod(folder.c_str(), 0555), 0);
  ASSERT_EQ(::chmod(temp.name().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(100);
    int refused = 0;
    for (bool more = true; more && refused < 10;) {
      try {
        more = store.collect(now, 100);
      } catch (const std::system_error& e) {
        if (e.code() == std::errc::permission_denied) ++refused;
      }
    }
    ::_exit(refused);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3) << "once for each";
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  EXPECT_EQ(count(), 3U);
}

TEST_F(FileSessionStoreTest, CollectsNoMoreAtATimeThanItIsTold) {
  for (int i = 0; i < 20; ++i) create(i, now);
  now += seconds(60);
  std::size_t before = count();
  int steps = 0;
  for (bool more = true; more; ++steps) {
    ASSERT_LT(steps, 20);
    more = store.collect(now, 3);
    EXPECT_LE(before - count(), 3U);
    before = count();
  }
  EXPECT_EQ(count(), 0U);
  EXPECT_GE(steps, 7);
  create(1, now - seconds(60));
  EXPECT_FALSE(store.collect(now, 100)) << "and begins anew";
  EXPECT_EQ(count(), 0U);
}

TEST_F(FileSessionStoreTest, CollectsBesideOthersWhoDo) {
  for (int i = 0; i < 20; ++i) create(i, now - seconds(60));
  FileSessionStore other(folder);
  EXPECT_TRUE(store.collect(now, 4));
  EXPECT_FALSE(other.collect(now, 100));
  EXPECT_EQ(count(), 0U);
  while (store.collect(now, 4)) {
  }
  create(1, now - seconds(60));
  EXPECT_TRUE(store.collect(now, 1));
  fs::remove_all(folder);
  EXPECT_FALSE(store.collect(now, 100));
}

// ---- Several processes

constexpr seconds kPatience{20};
constexpr auto kNoSession = std::errc::no_such_file_or_directory;

// A session of 64 KiB of that letter, saved again and again until it is gone.
pid_t forkWriter(const std::string& folder, const std::string& id, char letter,
                 SessionTime expires) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  FileSessionStore store(folder);
  const std::string data(64 * 1024, letter);
  std::error_code error;
  const auto deadline = std::chrono::steady_clock::now() + 2 * kPatience;
  while (!error && std::chrono::steady_clock::now() < deadline) {
    error = store.replace(id, data, expires);
  }
  ::_exit(error == std::errc::no_such_file_or_directory ? 0 : 1);
}

TEST_F(FileSessionStoreTest, OfProcessesThatSaveAtOnceOneWinsWholly) {
  create(1, now + seconds(10));
  const pid_t writers[] = {forkWriter(folder, id(1), 'a', now + seconds(10)),
                           forkWriter(folder, id(1), 'b', now + seconds(10))};
  // Until both have been seen, and for a while.
  std::size_t seen[2] = {};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::min(seen[0], seen[1]) < 50 &&
         std::chrono::steady_clock::now() < deadline) {
    const std::string data = loaded(id(1));
    if (data == "data") continue;
    ASSERT_EQ(data.size(), 64U * 1024);
    ASSERT_EQ(data.find_first_not_of(data[0]), std::string::npos);
    ++seen[data[0] == 'a' ? 0 : 1];
  }
  EXPECT_GE(std::min(seen[0], seen[1]), 50U);
  // Removed it stays: each writer's next replace() says so.
  EXPECT_FALSE(store.remove(id(1)));
  for (const pid_t writer : writers) {
    int status = -1;
    EXPECT_EQ(::waitpid(writer, &status, 0), writer);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(count(), 0U);
}

TEST_F(FileSessionStoreTest, OfProcessesThatRenameAtOnceOneGetsTheSession) {
  constexpr int kRounds = 200;
  constexpr int kProcesses = 3;
  for (int i = 0; i < kRounds; ++i) create(i, now + seconds(10));
  std::vector<pid_t> processes;
  for (int p = 1; p <= kProcesses; ++p) {
    processes.push_back(::fork());
    if (processes.back() != 0) continue;
    bool right = true;
    for (int i = 0; i < kRounds; ++i) {
      const auto error =
          store.rename(id(i), id(1000 * p + i), "data", now + seconds(10));
      right = right && (!error || error == kNoSession);
    }
    ::_exit(right ? 0 : 1);
  }
  for (const pid_t process : processes) {
    int status = -1;
    EXPECT_EQ(::waitpid(process, &status, 0), process);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(count(), static_cast<std::size_t>(kRounds));
  for (int i = 0; i < kRounds; ++i) {
    int there = 0;
    for (int p = 0; p <= kProcesses; ++p) {
      if (fs::exists(file(id(1000 * p + i)))) there += p == 0 ? 100 : 1;
    }
    EXPECT_EQ(there, 1) << i;
  }
}

}  // namespace
}  // namespace brigade
