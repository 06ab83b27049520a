#include "brigade/Connection/Acceptor.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <new>
#include <vector>

#include "tests/support/RunUntil.h"

namespace brigade::test {
namespace {

class AcceptorTest : public ::testing::Test, public AcceptorHandler {
 protected:
  void onAccept(FileDescriptor socket, const Endpoint& remote) override {
    EXPECT_EQ(remote.ip(), "127.0.0.1");
    accepted.push_back(std::move(socket));
    if (onEach) onEach();
  }
  std::size_t room() override { return most - std::min(most, accepted.size()); }
  void onAcceptPaused(int error) override { errors.push_back(error); }

  FileDescriptor connect() {
    FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(listener.address().port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in),
              0);
    return fd;
  }
  bool untilAccepted(std::size_t count) {
    return runUntil(*loop, [&] { return accepted.size() >= count; });
  }

  Listener listener = Listener::open(Address::parse("tcp://127.0.0.1:0"), {});
  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  std::vector<FileDescriptor> accepted;
  std::vector<int> errors;
  std::size_t most = 1000;
  std::function<void()> onEach;
};

TEST_F(AcceptorTest, TakesConnectionsWhileResumedOnly) {
  Acceptor acceptor(*loop, listener, *this, nullptr);
  const FileDescriptor first = connect();
  turn(*loop);
  EXPECT_TRUE(accepted.empty());
  acceptor.resume();
  EXPECT_TRUE(untilAccepted(1));
  acceptor.pause();
  const FileDescriptor second = connect();
  turn(*loop);
  EXPECT_EQ(accepted.size(), 1u);
  acceptor.acceptAll();
  EXPECT_EQ(accepted.size(), 2u);
}

TEST_F(AcceptorTest, StopsWhenTheHandlerWantsNoMore) {
  most = 1;
  Acceptor acceptor(*loop, listener, *this, nullptr);
  acceptor.resume();
  const FileDescriptor first = connect();
  const FileDescriptor second = connect();
  EXPECT_TRUE(untilAccepted(1));
  turn(*loop);
  EXPECT_EQ(accepted.size(), 1u);
  most = 2;
  acceptor.resume();
  EXPECT_TRUE(untilAccepted(2));
}

TEST_F(AcceptorTest, WithoutDescriptorsItPausesAndResumesByItself) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Acceptor acceptor(*loop, listener, *this, nullptr);
  acceptor.resume();
  const FileDescriptor served = connect();
  ASSERT_TRUE(untilAccepted(1));
  const FileDescriptor client = connect();
  // The next descriptor is one too many.
  FileDescriptor next(::dup(0));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next.get());
  next.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  EXPECT_TRUE(runUntil(*loop, [&] { return !errors.empty(); }));
  turn(*loop);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(untilAccepted(2));
  EXPECT_EQ(errors, std::vector<int>{EMFILE});
}

TEST_F(AcceptorTest, ALockHeldByADeadProcessIsTakenOver) {
  void* shared = ::mmap(nullptr, sizeof(AcceptLock), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  auto* lock = ::new (shared) AcceptLock;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(lock->tryLock() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  Acceptor acceptor(*loop, listener, *this, lock);
  acceptor.resume();
  const FileDescriptor client = connect();
  EXPECT_TRUE(untilAccepted(1));
  ::munmap(shared, sizeof(AcceptLock));
}

TEST_F(AcceptorTest, WhileAnotherHoldsTheLockItWaits) {
  AcceptLock lock;
  ASSERT_TRUE(lock.tryLock());
  Acceptor acceptor(*loop, listener, *this, &lock);
  acceptor.resume();
  const FileDescriptor client = connect();
  turn(*loop);
  EXPECT_TRUE(accepted.empty());
  lock.unlock();
  EXPECT_TRUE(untilAccepted(1));
}

TEST_F(AcceptorTest, TheProgramRunsWithoutTheLock) {
  AcceptLock lock;
  Acceptor acceptor(*loop, listener, *this, &lock);
  onEach = [&] {
    EXPECT_TRUE(lock.tryLock());
    lock.unlock();
  };
  acceptor.resume();
  const FileDescriptor first = connect();
  const FileDescriptor second = connect();
  EXPECT_TRUE(untilAccepted(2));
}

}  // namespace
}  // namespace brigade::test
