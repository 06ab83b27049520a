// Choosing an event loop by name.

#include "brigade/Events/EventInterface.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace brigade {
namespace {

TEST(EventInterfaceTest, TheDefaultLoopComesFirstAndIsLibev) {
  const std::vector<std::string> names = eventLoopNames();
  ASSERT_GE(names.size(), 4U);
  EXPECT_EQ(names.front(), "libev");
  EXPECT_EQ(makeEventLoop()->name(), "libev");
  for (const char* name : {"epoll", "select", "poll"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST(EventInterfaceTest, EveryNameMakesALoopOfThatName) {
  for (const std::string& name : eventLoopNames()) {
    EXPECT_EQ(makeEventLoop(name)->name(), name);
  }
}

TEST(EventInterfaceTest, AnUnknownNameIsAnErrorThatNamesItAndTheChoice) {
  for (const char* name : {"kqueue", "", "EPOLL", "libev "}) {
    try {
      makeEventLoop(name);
      FAIL() << name;
    } catch (const UnknownEventLoop& error) {
      const std::string text = error.what();
      EXPECT_EQ(text.rfind("unknown event loop '" + std::string(name) +
                               "': have libev, epoll, select, poll",
                           0),
                0U)
          << text;
    }
  }
}

}  // namespace
}  // namespace brigade
