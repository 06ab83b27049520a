#pragma once

// Child: one forked process as its parent sees it: pidfd, channel, state.
// Belongs to a Slot; told of the end of the process through the pidfd, once,
// after everything the process said has been delivered.

#include <sys/types.h>

#include <string>
#include <string_view>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/detail/ChildState.h"

namespace brigade::detail {

class Child;

// None of these may destroy the child.
class ChildHandler {
 public:
  // It serves: at most once a child, never after its end was asked for.
  virtual void onChildReady(Child& child) = 0;
  // It cannot start, and why; its exit follows.
  virtual void onChildFailed(Child& child, std::string_view reason) = 0;
  // Any other frame.
  virtual void onChildFrame(Child& child, const Frame& frame) = 0;
  // The process is reaped; nothing follows.
  virtual void onChildExit(Child& child, ExitStatus status) = 0;

 protected:
  ~ChildHandler() = default;
};

class Child final : public ChannelHandler, private Watcher {
 public:
  // `pid` is a child of this process that nobody else reaps; it is killed when
  // it is not ready within `readyTimeout`. Throws std::system_error; the
  // process is then still there.
  Child(EventInterface& loop, ChildHandler& handler, pid_t pid,
        FileDescriptor channel, unsigned generation,
        Clock::duration readyTimeout);
  // Ends the process with SIGKILL, and waits, if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  unsigned generation() const { return generation_; }
  ChildState state() const { return state_; }
  Clock::time_point since() const { return since_; }
  // How long it has been ready; zero before.
  Clock::duration served() const;
  // Its end was asked for.
  bool toldToEnd() const { return toldToEnd_; }
  // Why it could not start or was killed; mostly empty.
  const std::string& reason() const { return reason_; }

  // Tells it to drain (`payload` "g": gracefully) or to stop, and kills it
  // past `patience`, counted from the first such order.
  void end(ChildEvent how, std::string_view payload, Clock::duration patience);
  Channel& channel() { return channel_; }

  // In another child: closes the copies of this one's descriptors.
  void closeInChild();

 private:
  void onReady(Ready ready) override;  // the pidfd: the process has ended
  void onFrame(const Frame& frame) override;
  void onChannelClosed() override {}

  bool move(ChildEvent event);
  void fail(std::string_view reason);
  void killAfter(Clock::duration patience, EventInterface::Callback first);
  void kill();

  EventInterface& loop_;
  ChildHandler& handler_;
  pid_t pid_;
  FileDescriptor pidfd_;
  Channel channel_;
  unsigned generation_;
  ChildState state_ = ChildState::kStarting;
  bool toldToEnd_ = false;
  Clock::time_point since_;
  Clock::time_point readyAt_{};
  TimerId deadline_{};
  std::string reason_;
};

}  // namespace brigade::detail
