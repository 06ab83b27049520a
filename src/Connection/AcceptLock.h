#pragma once

// AcceptLock: lets one of several processes accept at a time. Lives in memory
// shared before the fork. Robust (pthread_mutexattr_setrobust(3)): the kernel
// gives it to the next one when its holder dies.

#include <pthread.h>

namespace brigade {

class AcceptLock {
 public:
  AcceptLock();  // throws std::system_error
  AcceptLock(const AcceptLock&) = delete;
  AcceptLock& operator=(const AcceptLock&) = delete;

  // Never waits: false when another process holds it.
  bool tryLock();
  void unlock();

 private:
  pthread_mutex_t mutex_;
};

}  // namespace brigade
