#include "brigade/Connection/AcceptLock.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>

namespace brigade {
namespace {

class AcceptLockTest : public ::testing::Test {
 protected:
  AcceptLockTest()
      : memory_(::mmap(nullptr, sizeof(AcceptLock), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        lock(::new (memory_) AcceptLock) {}
  ~AcceptLockTest() override { ::munmap(memory_, sizeof(AcceptLock)); }

  // What tryLock() answers in a process that then dies without unlock().
  bool childGetsIt() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(lock->tryLock() ? 1 : 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status) == 1;
  }

 private:
  void* memory_;

 protected:
  AcceptLock* lock;
};

TEST_F(AcceptLockTest, OneProcessHasItAtATime) {
  ASSERT_TRUE(lock->tryLock());
  EXPECT_FALSE(childGetsIt());
  lock->unlock();
  EXPECT_TRUE(childGetsIt());
}

TEST_F(AcceptLockTest, N05_ADeadHolderHasItNoMore) {
  ASSERT_TRUE(childGetsIt());
  EXPECT_TRUE(lock->tryLock());
  lock->unlock();
  EXPECT_TRUE(lock->tryLock()) << "it is whole again";
  lock->unlock();
}

}  // namespace
}  // namespace brigade
