#pragma once

// SignalQueue: the signals of one loop, through one signalfd(2), made with the
// first signal. A signal is blocked in the calling thread from add() to del();
// no handler is ever installed, so nothing runs between two instructions of
// somebody else. Owned by LoopBase, which watches fd() while there are signals.

#include <sys/signalfd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <map>
#include <memory>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade::detail {

class SignalQueue {
 public:
  using Callback = EventInterface::Callback;

  SignalQueue();
  // Unblocks what is left.
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  // Replaces the callback of a signal that is there already. Throws
  // std::system_error for a number that is no signal, or that cannot be
  // blocked (SIGKILL, SIGSTOP).
  void add(int number, Callback callback);
  void del(int number);
  void clear();

  bool empty() const { return callbacks_.empty(); }
  int fd() const { return fd_.get(); }

  // Takes what has arrived, a bounded number: the rest keeps fd() readable.
  void receive();
  // Runs the callback of the next received signal; false when none is left.
  // What the callback throws passes through: call again.
  bool runNext();

  void closeInChild() { fd_.reset(); }

 private:
  static constexpr std::size_t kBatch = 16;

  void watch();

  FileDescriptor fd_;
  sigset_t mask_;
  // Shared, so that a callback may delete or replace itself while it runs.
  std::map<int, std::shared_ptr<const Callback>> callbacks_;
  std::array<signalfd_siginfo, kBatch> received_;
  std::size_t receivedCount_ = 0;
  std::size_t next_ = 0;
};

}  // namespace brigade::detail
