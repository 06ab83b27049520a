#include "brigade/Events/LibevLoop.h"

#include <sys/resource.h>
#include <sys/select.h>

#include <cstdlib>

#include "tests/Events/support/EventLoopFixture.h"

namespace brigade::test {
namespace {

// Null when this process may not open so many.
FileDescriptor highDescriptor(int fd) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return FileDescriptor(::fcntl(fd, F_DUPFD_CLOEXEC, FD_SETSIZE));
}

TEST(LibevLoopTest, SelectRefusesADescriptorBeyondItsSetAndNamesIt) {
  const auto loop = LibevLoop::make("select");
  const SocketPair pair;
  const FileDescriptor high = highDescriptor(pair.near.get());
  ASSERT_TRUE(high);
  On watcher([](Ready) {});
  try {
    loop->add(high.get(), Interest::kRead, watcher);
    FAIL();
  } catch (const std::system_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("descriptor " + std::to_string(high.get())),
              std::string::npos);
    EXPECT_NE(text.find("select"), std::string::npos);
  }
  loop->loop();  // Nothing was registered: returns.
}

TEST(LibevLoopTest, TheOtherBackendsWatchDescriptorsBeyondSelectsSet) {
  const auto loop = LibevLoop::make("poll");
  const SocketPair pair;
  const FileDescriptor high = highDescriptor(pair.near.get());
  ASSERT_TRUE(high);
  On watcher([&](Ready) { loop->del(high.get()); });
  loop->add(high.get(), Interest::kRead, watcher);
  pair.feed();
  loop->loop();
  EXPECT_EQ(watcher.calls, 1);
}

TEST(LibevLoopTest, ARegularFileIsAlwaysReadyAsForSelect) {
  const auto loop = LibevLoop::make("libev");
  const FileDescriptor file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  On watcher([&](Ready) {
    if (watcher.calls == 2) loop->del(file.get());
  });
  loop->add(file.get(), Interest::kRead, watcher);
  loop->loop();
  EXPECT_EQ(watcher.calls, 2);
}

TEST(LibevLoopTest, LibevsEnvironmentVariableChangesNothing) {
  ASSERT_EQ(::setenv("LIBEV_FLAGS", "1", 1), 0);  // Select.
  const auto loop = LibevLoop::make("libev");
  ::unsetenv("LIBEV_FLAGS");
  const std::string path = "/proc/self/fd";
  int epolls = 0;
  for (int fd = 3; fd < 64; ++fd) {
    char target[64] = {};
    const std::string link = path + "/" + std::to_string(fd);
    if (::readlink(link.c_str(), target, sizeof(target) - 1) < 0) continue;
    if (std::string(target).find("eventpoll") != std::string::npos) ++epolls;
  }
  EXPECT_EQ(epolls, 1);
}

TEST(LibevLoopTest, AnUnknownBackendIsNoLoop) {
  EXPECT_EQ(LibevLoop::make("kqueue"), nullptr);
  EXPECT_EQ(LibevLoop::make("epoll"), nullptr);
}

}  // namespace
}  // namespace brigade::test
