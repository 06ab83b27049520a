#pragma once

// WorkerMail: what a worker process has to talk with: its Mailbox and its copy
// of the shared state, over the channel to its master.

#include <string_view>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/Mailbox.h"
#include "brigade/Process/MasterTable.h"
#include "brigade/Process/SharedState.h"
#include "brigade/Process/StateReplica.h"
#include "brigade/Process/detail/Envelope.h"
#include "brigade/Process/detail/StateTable.h"

namespace brigade {

// What a process has from its master as it begins. What changes later comes
// through its channel, which is there before the fork: nothing is missed.
struct Heritage {
  Roster roster;
  detail::StateTable state;
};

class WorkerMail final : private detail::Post {
 public:
  // Loop and channel outlive it.
  WorkerMail(EventInterface& loop, Channel& channel, const Member& self,
             Heritage heritage, const Mailbox::Hooks& hooks);

  // A frame of kMail.
  void deliver(const Frame& frame);
  // The process is about to end, and takes nothing new.
  void drain();
  // Nobody here waits for anything any more.
  void forget();

  Mailbox& mailbox() { return mailbox_; }
  SharedState& state() { return state_; }
  MasterTable& table() { return table_; }

 private:
  // What the socket takes leaves at once, so that it arrives even when the
  // process dies right behind.
  Channel::Result post(const detail::Envelope& mail) override;

  Channel& channel_;
  Mailbox::Hooks hooks_;
  std::string frame_;
  Mailbox mailbox_;
  StateReplica state_;
  MasterTable table_;
};

}  // namespace brigade
