// The order in which ready descriptors are delivered, and what a watcher can
// still take back; that the loops keep to it is EventLoopTest's.

#include "brigade/Events/detail/ReadyList.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

namespace brigade::detail {
namespace {

constexpr int kNone = 0;
constexpr Ready kRead{.read = true, .write = false};
constexpr Ready kBoth{.read = true, .write = true};

class ReadyListTest : public ::testing::Test {
 protected:
  // Writes what it is told into the test's text.
  class Recorder final : public Watcher {
   public:
    Recorder(std::string& text, std::string name)
        : text_(text), name_(std::move(name)) {}
    void onReady(Ready ready) override {
      text_ += name_ + (ready.read ? "r" : "") + (ready.write ? "w" : "") + " ";
      if (then) then();
    }
    std::function<void()> then;

   private:
    std::string& text_;
    std::string name_;
  };

  void found(int fd, Watcher& watcher, Ready ready) {
    list.makeRoom(fd);
    list.add(fd, watcher, ready);
  }
  std::string deliver(int first = kNone) {
    text.clear();
    list.deliver(first, [](Watcher& to, Ready ready) { to.onReady(ready); });
    return text;
  }

  ReadyList list;
  std::string text;
  Recorder a{text, "a"};
  Recorder b{text, "b"};
  Recorder c{text, "c"};
};

TEST_F(ReadyListTest, InTheOrderOfArrivalAndOnce) {
  found(9, b, kRead);
  found(3, a, kBoth);
  EXPECT_EQ(deliver(), "br arw ");
  EXPECT_EQ(deliver(), "");
}

TEST_F(ReadyListTest, OneDescriptorGoesFirst) {
  found(9, b, kRead);
  found(3, a, kRead);
  found(5, c, kRead);
  EXPECT_EQ(deliver(5), "cr br ar ");
  found(9, b, kRead);
  EXPECT_EQ(deliver(5), "br ");
}

TEST_F(ReadyListTest, WhatIsForgottenIsNotDelivered) {
  found(3, a, kRead);
  found(4, b, kRead);
  found(5, c, kRead);
  a.then = [this] {
    list.forget(3);  // itself
    list.forget(4);
    list.forget(77);
  };
  EXPECT_EQ(deliver(), "ar cr ");
}

TEST_F(ReadyListTest, ADescriptorForgottenEarlierIsNotTakenForAnother) {
  found(3, a, kRead);
  found(4, b, kRead);
  deliver();
  found(4, b, kRead);
  list.forget(3);  // stood where 4 stands now
  EXPECT_EQ(deliver(), "br ");
}

TEST_F(ReadyListTest, OnlyWhatIsStillWantedIsDelivered) {
  found(3, a, kBoth);
  found(4, b, kBoth);
  found(5, c, kRead);
  list.narrow(3, Interest::kWrite);
  list.narrow(4, Interest::kAccept);
  list.narrow(5, Interest::kWrite);
  EXPECT_EQ(deliver(), "aw br ");
}

TEST_F(ReadyListTest, RoomMadeMeanwhileMovesNothing) {
  found(3, a, kRead);
  found(4, b, kRead);
  a.then = [this] {
    list.makeRoom(100'000);
    list.forget(100'000);
  };
  EXPECT_EQ(deliver(), "ar br ");
}

TEST_F(ReadyListTest, AWatcherMayClearTheList) {
  found(3, a, kRead);
  found(4, b, kRead);
  a.then = [this] { list.clear(); };
  EXPECT_EQ(deliver(), "ar ");
}

}  // namespace
}  // namespace brigade::detail
