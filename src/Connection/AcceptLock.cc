#include "brigade/Connection/AcceptLock.h"

#include <cerrno>
#include <system_error>

namespace brigade {

AcceptLock::AcceptLock() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = pthread_mutex_init(&mutex_, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (error != 0) {
    throw std::system_error(error, std::generic_category(),
                            "cannot make the accept lock");
  }
}

bool AcceptLock::tryLock() {
  const int error = pthread_mutex_trylock(&mutex_);
  if (error == EOWNERDEAD) {
    // It guards no data: there is nothing to repair.
    pthread_mutex_consistent(&mutex_);
    return true;
  }
  return error == 0;
}

void AcceptLock::unlock() { pthread_mutex_unlock(&mutex_); }

}  // namespace brigade
