#pragma once

// ChannelPost: carries the mail of a worker process to its master. What the
// socket takes leaves at once, so that it arrives even when the process dies
// right behind; the Mailbox's windows bound what waits.

#include <string>

#include "brigade/Process/Channel.h"
#include "brigade/Process/detail/Envelope.h"

namespace brigade {

class ChannelPost final : public detail::Post {
 public:
  explicit ChannelPost(Channel& channel) : channel_(channel) {}

  Channel::Result post(const detail::Envelope& mail) override {
    frame_.clear();
    detail::encode(mail, frame_);
    const Frame frame{FrameKind::kMail, frame_, mail.correlation,
                      mail.descriptor};
    return channel_.queuedBytes() == 0 ? channel_.send(frame)
                                       : channel_.post(frame);
  }

 private:
  Channel& channel_;
  std::string frame_;
};

}  // namespace brigade
