// Mail over a hand-over: from one moment on it is the successor's, whoever it
// was addressed to.

#include "brigade/Process/Router.h"

namespace brigade {

void Router::onSucceeded(pid_t before, pid_t heir) {
  Port* const from = portOf(before);
  Port* const to = portOf(heir);
  if (from == nullptr || to == nullptr) return;
  const Line line{from->place.generation, to->place.generation};
  const auto [known, isNew] = lines_.try_emplace(to->place.index, line);
  known->second.last = line.last;
  to->ready = true;
  spread(*to, Standing::kReady, "", from->place.generation);
  tasks_.workerReady(to->place);
  onDraining(before);
}

bool Router::hasHeir(const Place& place) const {
  const auto line = lines_.find(place.index);
  return line != lines_.end() && place.generation >= line->second.first &&
         place.generation < line->second.last;
}

// Whoever wrote it had not heard of the hand-over yet; its window is that of
// the process that it wrote to.
void Router::forwardToHeir(const Place& sender, const Place& target,
                           const Envelope& mail) {
  const Place heir{target.index, lines_.at(target.index).last};
  Port* const port = portAt(heir);
  // The end of who was asked ends the question, be it with another one now.
  const bool tooLate = mail.op == Op::kRequest && portAt(target) == nullptr;
  if (port == nullptr || port->draining || tooLate) {
    credit(sender, target, detail::chargeOf(mail));
    if (Port* const from = portAt(sender)) payCredit(*from, target);
    refuse(sender, target, mail);
    return;
  }
  if (mail.op == Op::kRequest) {
    tell(sender,
         {.op = Op::kMoved, .from = heir, .correlation = mail.correlation});
  }
  put(*port, mail, sender, target, detail::chargeOf(mail));
}

}  // namespace brigade
