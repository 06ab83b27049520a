#include "brigade/Process/WorkerMail.h"

#include <optional>
#include <utility>

namespace brigade {

using detail::Envelope;
using detail::Op;

WorkerMail::WorkerMail(EventInterface& loop, Channel& channel,
                       const Member& self, Heritage heritage,
                       const Mailbox::Hooks& hooks)
    : channel_(channel),
      hooks_(hooks),
      mailbox_(loop, *this, self, heritage.roster, hooks),
      state_(loop, *this, std::move(heritage.state), hooks.onException),
      table_(channel, *this) {}

Channel::Result WorkerMail::post(const Envelope& mail) {
  frame_.clear();
  detail::encode(mail, frame_);
  const Frame frame{FrameKind::kMail, frame_, mail.correlation,
                    mail.descriptor};
  return channel_.queuedBytes() == 0 ? channel_.send(frame)
                                     : channel_.post(frame);
}

void WorkerMail::deliver(const Frame& frame) {
  const std::optional<Envelope> mail = detail::decode(frame);
  if (!mail) {
    hooks_.onTrouble("the master has sent something that is no mail");
  } else if (mail->op == Op::kStateChanged || mail->op == Op::kStateOutcome) {
    state_.deliver(*mail);
  } else if (mail->op == Op::kTableAnswer) {
    table_.deliver(*mail);
  } else {
    mailbox_.deliver(*mail);
  }
}

void WorkerMail::drain() { mailbox_.drain(); }

void WorkerMail::forget() {
  mailbox_.forget();
  state_.forget();
}

}  // namespace brigade
