#pragma once

// Child: one forked process as its parent sees it: pidfd, channel, state.
// Belongs to a Slot; told of the end of the process through the pidfd, once,
// after everything the process said has been delivered.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/ExitStatus.h"

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {
class Child;

class ChildHandler {
 public:
  virtual void onChildFrame(Child& child, const Frame& frame) = 0;
  // The process is reaped. The child is destroyed after this turn, not here.
  virtual void onChildExit(Child& child, ExitStatus status) = 0;
  // It is about to be told to drain or to stop, for the first time.
  virtual void onChildEnding(Child& /*child*/) {}
  // Its channel has taken frames that waited.
  virtual void onChildProgress(Child& /*child*/) {}

 protected:
  ~ChildHandler() = default;
};

class Child final : public ChannelHandler, private Watcher {
 public:
  enum class State { kStarting, kReady, kDraining, kStopping };

  // `pid` is a child of this process that nobody reaps else.
  Child(EventInterface& loop, ChildHandler& handler, pid_t pid,
        FileDescriptor channel, unsigned generation, unsigned seat);
  // Ends the process with SIGKILL, and waits, if it still runs.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  unsigned generation() const { return generation_; }
  unsigned seat() const { return seat_; }
  // Which image of the program has forked it: see Supervisor::Options.
  unsigned image() const { return image_; }
  void setImage(unsigned image) { image_ = image; }
  State state() const { return state_; }
  Clock::time_point since() const { return since_; }
  // How long it has served; zero before it was ready.
  Clock::duration served() const;
  bool wasReady() const { return readyAt_ != Clock::time_point{}; }
  const std::string& failure() const { return failure_; }
  // It was killed because it did not become ready in time.
  bool wasTooSlow() const { return tooSlow_; }
  // The status with what is known of its cause.
  ExitStatus explain(ExitStatus status) const;
  // Its end was asked for.
  bool isEnding() const {
    return state_ == State::kDraining || state_ == State::kStopping;
  }

  // It drains by itself.
  bool isLeaving() const { return leaving_; }

  void becameReady();
  void failed(std::string_view reason) { failure_ = reason; }
  // Tells it to drain or stop, and kills it past `patience`.
  void end(FrameKind how, std::string_view payload, Clock::duration patience);
  void killAfter(Clock::duration patience);
  // It has begun to drain by itself, and is killed past `patience`.
  void leaves(std::string_view reason, Clock::duration patience);
  // Kills it now: it hung for `time`.
  void killHung(Clock::duration time);
  Channel& channel() { return channel_; }

  // Over execve(2), which leaves the process our child: all but the arguments
  // of the constructor.
  void carry(Archive& archive);

  // In another child: closes the copies of this one's descriptors.
  void closeInChild();

 private:
  void onReady(Ready ready) override;
  void onFrame(const Frame& frame) override;
  void onChannelClosed() override {}
  void onChannelProgress() override { handler_.onChildProgress(*this); }
  void kill();
  void awaitDeadline();
  void onDeadline();

  EventInterface& loop_;
  ChildHandler& handler_;
  pid_t pid_;
  FileDescriptor pidfd_;
  Channel channel_;
  unsigned generation_;
  unsigned seat_;
  unsigned image_ = 1;
  State state_ = State::kStarting;
  Clock::time_point since_;
  Clock::time_point readyAt_{};
  TimerId deadline_{};
  Clock::time_point deadlineAt_{};
  Clock::duration patience_{};  // that ends then
  std::string failure_;
  bool tooSlow_ = false;
  bool leaving_ = false;
  ExitCause killedFor_ = ExitCause::kUnknown;
  std::string detail_;  // of killedFor_, or why it leaves
};

}  // namespace brigade::detail
