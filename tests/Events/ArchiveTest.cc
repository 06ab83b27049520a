#include "brigade/Events/Archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace brigade {
namespace {

enum class Color : std::uint8_t { kRed, kBlue };

struct Inner {
  int number = 0;
  std::string text;

  void carry(Archive& archive) { archive(number, text); }
};

// Has no carry() of its own.
struct Plain {
  int x = 0;
};
void carryOver(Archive& archive, Plain& value) { archive(value.x); }

struct Outer {
  bool yes = false;
  double half = 0;
  Color color = Color::kRed;
  std::string text;
  std::chrono::milliseconds delay{};
  std::chrono::steady_clock::time_point at{};
  std::optional<Inner> some;
  std::optional<Inner> none = Inner{};
  std::vector<Inner> list;
  std::deque<Plain> queue;
  std::map<std::string, Inner> table;
  std::set<std::pair<int, std::string>> pairs;

  void carry(Archive& archive) {
    archive(yes, half, color, text, delay, at, some, none, list, queue, table,
            pairs);
  }
};

TEST(ArchiveTest, WhatIsReadIsWhatWasWritten) {
  Outer before{true,
               0.5,
               Color::kBlue,
               std::string("a\0b", 3),
               std::chrono::milliseconds(7),
               std::chrono::steady_clock::now(),
               Inner{3, "three"},
               std::nullopt,
               {{1, "one"}, {2, ""}},
               {{4}, {5}},
               {{"k", {6, "six"}}},
               {{8, "eight"}, {9, "nine"}}};
  Archive writing;
  writing(before);
  EXPECT_FALSE(writing.isReading());

  Archive reading(writing.bytes());
  Outer after;
  after.list = {{0, "gone"}};
  reading(after);
  EXPECT_TRUE(reading.isReading());
  EXPECT_EQ(reading.position(), writing.bytes().size());
  EXPECT_TRUE(after.yes);
  EXPECT_EQ(after.half, 0.5);
  EXPECT_EQ(after.color, Color::kBlue);
  EXPECT_EQ(after.text, before.text);
  EXPECT_EQ(after.delay, before.delay);
  EXPECT_EQ(after.at, before.at);
  EXPECT_EQ(after.some->text, "three");
  EXPECT_FALSE(after.none);
  ASSERT_EQ(after.list.size(), 2u);
  EXPECT_EQ(after.list[0].text, "one");
  ASSERT_EQ(after.queue.size(), 2u);
  EXPECT_EQ(after.queue[1].x, 5);
  EXPECT_EQ(after.table.at("k").number, 6);
  EXPECT_EQ(after.pairs, before.pairs);
}

TEST(ArchiveTest, OneThatEndsTooEarlyIsRefusedWherever) {
  Outer before;
  before.text = "text";
  before.list = {{1, "one"}};
  Archive writing;
  writing(before);
  for (std::size_t size = 0; size < writing.bytes().size(); ++size) {
    Archive reading(writing.bytes().substr(0, size));
    Outer after;
    EXPECT_THROW(reading(after), BadArchive) << size;
  }
}

TEST(ArchiveTest, DescriptorsStayOpenWhenThatIsAskedFor) {
  FileDescriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  FileDescriptor nothing;
  const auto isKept = [&] { return ::fcntl(file.get(), F_GETFD) == 0; };
  Archive writing;
  writing(file, nothing);
  EXPECT_FALSE(isKept());
  writing.keepDescriptors();
  EXPECT_TRUE(isKept());
  writing.releaseDescriptors();
  EXPECT_FALSE(isKept());

  writing.keepDescriptors();
  const int number = file.release();
  Archive reading(writing.bytes());
  FileDescriptor taken;
  FileDescriptor none;
  reading(taken, none);
  EXPECT_EQ(taken.get(), number);
  EXPECT_FALSE(none);
  EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace brigade
