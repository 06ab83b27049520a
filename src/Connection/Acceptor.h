#pragma once

// Acceptor: takes connections from a listener in a worker process and hands
// their descriptors on. When the process has no descriptor left (EMFILE) or
// the handler wants no more, it stops watching the listener and tries again
// later: a level-triggered loop would spin.

#include <array>
#include <cstddef>

#include "brigade/Connection/AcceptLock.h"
#include "brigade/Connection/Endpoint.h"
#include "brigade/Connection/Listener.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade {

class AcceptorHandler {
 public:
  // Does not throw: there are others behind it.
  virtual void onAccept(FileDescriptor socket, const Endpoint& remote) = 0;
  // How many connections are wanted now. After 0, resume() when there is room
  // again.
  virtual std::size_t room() = 0;
  // Accepting paused because of `error` (errno); it resumes by itself. Once
  // for a row of failures.
  virtual void onAcceptPaused(int error) = 0;

 protected:
  ~AcceptorHandler() = default;
};

class Acceptor final : private Watcher {
 public:
  // `lock` may be null. All outlive the acceptor.
  Acceptor(EventInterface& loop, const Listener& listener,
           AcceptorHandler& handler, AcceptLock* lock);
  ~Acceptor();

  void resume();
  void pause();
  // Takes what waits in the queue now; for the last process of a listener.
  void acceptAll();

 private:
  struct Accepted {
    FileDescriptor socket;
    Endpoint remote;
  };
  // Connections taken in one turn; others get their turn in between.
  static constexpr std::size_t kBatch = 16;
  using Batch = std::array<Accepted, kBatch>;

  void onReady(Ready ready) override;
  std::size_t accept(Batch& batch);
  std::size_t handOn(Batch& batch, std::size_t count);
  bool goesOnAfter(int error);
  void retryAfter(Clock::duration delay);

  EventInterface& loop_;
  int fd_;
  AcceptorHandler& handler_;
  AcceptLock* lock_;
  bool watching_ = false;
  bool failing_ = false;
  TimerId retry_{};
};

}  // namespace brigade
