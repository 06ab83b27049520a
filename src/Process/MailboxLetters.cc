// What leaves: letters, within the windows, and what this process sends to
// itself.

#include <algorithm>
#include <utility>

#include "brigade/Process/Mailbox.h"
#include "brigade/Process/SealedMemory.h"

namespace brigade {
namespace {

// Until what could not be sent for want of a descriptor is tried again.
constexpr std::chrono::milliseconds kAgain{100};

}  // namespace

void Mailbox::seal(Envelope& mail, FileDescriptor& sealed) {
  if (mail.descriptor >= 0 || detail::fitsFrame(mail)) return;
  sealed = SealedMemory::make(mail.data);
  mail.size = mail.data.size();
  mail.descriptor = sealed.get();
  mail.data = {};
}

Messenger::Result Mailbox::sendTo(Peer& peer, Envelope mail) {
  if (peer.outstanding >= kWindow || !peer.waiting.empty()) {
    peer.wanted = true;
    return Result::kFull;
  }
  const std::vector<Place> target{placeOf(peer.member)};
  mail.targets = detail::asTargets(target);
  FileDescriptor sealed;
  seal(mail, sealed);
  switch (post_.post(mail)) {
    case Channel::Result::kFull:
      peer.wanted = true;
      return Result::kFull;
    case Channel::Result::kGone:
      return Result::kNobody;
    default:
      peer.outstanding += detail::chargeOf(mail);
      return Result::kSent;
  }
}

// What is not refused waits here when it must.
void Mailbox::mustSend(Peer& peer, Envelope mail) {
  if (sendTo(peer, mail) != Result::kFull) return;
  if (peer.waiting.empty() && peer.outstanding == 0) {
    // No credit will come to wake it: a descriptor was missing.
    const Place place = placeOf(peer.member);
    loop_.add(kAgain, Repeat::kOnce, [this, place] {
      if (Peer* const known = find(place)) sendWaiting(*known);
    });
  }
  Parcel parcel{.mail = mail};
  seal(parcel.mail, parcel.sealed);
  parcel.name = mail.name;
  parcel.data = parcel.mail.data;
  parcel.mail.targets = {};
  peer.waiting.push_back(std::move(parcel));
}

void Mailbox::sendWaiting(Peer& peer) {
  while (!peer.waiting.empty() && peer.outstanding < kWindow) {
    Parcel parcel = std::move(peer.waiting.front());
    peer.waiting.pop_front();
    parcel.mail.name = parcel.name;
    parcel.mail.data = parcel.data;
    std::deque<Parcel> others = std::exchange(peer.waiting, {});
    const Result result = sendTo(peer, parcel.mail);
    peer.waiting = std::move(others);
    if (result != Result::kFull) continue;
    peer.waiting.push_front(std::move(parcel));
    return;
  }
}

void Mailbox::onCredit(const Place& place, std::size_t bytes) {
  Peer* const known = find(place);
  if (known == nullptr) return;
  known->outstanding -= std::min(known->outstanding, bytes);
  sendWaiting(*known);
  // It asked before it was ready, or has ended since.
  if (!known->standing && known->outstanding == 0 && place != Place{}) {
    peers_.erase(place);
    return;
  }
  if (known->outstanding > kWindow / 2 || !known->waiting.empty()) return;
  if (!std::exchange(known->wanted, false)) return;
  for (const OnRoom& callback : onRoom_) {
    guarded("onRoom", [&] { callback(place.index); });
  }
}

void Mailbox::onRoom(OnRoom callback) {
  onRoom_.push_back(std::move(callback));
}

void Mailbox::drain() { toMaster({.op = Op::kDraining}); }

// ---- Letters

Messenger::Result Mailbox::sendLetter(Peer& peer, unsigned to,
                                      std::string_view event,
                                      std::string_view data) {
  return sendTo(
      peer,
      {.op = Op::kLetter, .correlation = to, .name = event, .data = data});
}

Messenger::Result Mailbox::send(unsigned index, std::string_view event,
                                std::string_view data) {
  check(event, data);
  if (isSelf(index)) return sendToSelf(Op::kLetter, index, 0, event, data);
  Peer* const to = readyAt(index);
  return to == nullptr ? Result::kNobody : sendLetter(*to, index, event, data);
}

Messenger::Result Mailbox::send(const Member& member, std::string_view event,
                                std::string_view data) {
  check(event, data);
  const Place place = placeOf(member);
  if (place == placeOf(self_)) {
    return sendToSelf(Op::kLetter, member.index, 0, event, data);
  }
  if (place == Place{}) return send(0, event, data);
  Peer* const to = find(place);
  if (to != nullptr && isReady(*to)) {
    return sendLetter(*to, member.index, event, data);
  }
  const Peer* const latest =
      member.index > workers_ ? nullptr : readyAt(member.index);
  const bool stale =
      latest != nullptr && latest->member.generation > member.generation;
  return stale ? Result::kStale : Result::kNobody;
}

// One frame for all of them. Those for which too much waits are left out.
std::size_t Mailbox::sendToAll(Envelope mail, const std::vector<Peer*>& peers) {
  std::vector<Place> targets;
  std::vector<Peer*> reached;
  for (Peer* const peer : peers) {
    if (peer->outstanding >= kWindow || !peer->waiting.empty()) {
      peer->wanted = true;
      continue;
    }
    targets.push_back(placeOf(peer->member));
    reached.push_back(peer);
  }
  if (reached.empty()) return 0;
  mail.targets = detail::asTargets(targets);
  FileDescriptor sealed;
  seal(mail, sealed);
  const Channel::Result result = post_.post(mail);
  if (result == Channel::Result::kFull || result == Channel::Result::kGone) {
    return 0;
  }
  const std::size_t charge = detail::chargeOf(mail);
  for (Peer* const peer : reached) peer->outstanding += charge;
  return reached.size();
}

std::size_t Mailbox::broadcast(std::string_view event, std::string_view data,
                               Audience audience) {
  check(event, data);
  std::size_t count = 0;
  std::vector<Peer*> others;
  for (auto& [place, other] : peers_) {
    if (!isReady(other)) continue;
    if (audience.group && *audience.group != other.member.group) continue;
    if (place != placeOf(self_)) {
      others.push_back(&other);
    } else if (audience.self && sendToSelf(Op::kLetter, self_.index, 0, event,
                                           data) == Result::kSent) {
      ++count;
    }
  }
  if (audience.master && !isMaster()) others.push_back(&peer(Place{}));
  if (audience.master && isMaster() &&
      sendToSelf(Op::kLetter, 0, 0, event, data) == Result::kSent) {
    ++count;
  }
  return count +
         sendToAll({.op = Op::kLetter, .name = event, .data = data}, others);
}

std::size_t Mailbox::publish(unsigned group, std::string_view data) {
  std::vector<Peer*> others;
  for (auto& [place, other] : peers_) {
    if (isReady(other) && other.member.group == group &&
        place != placeOf(self_)) {
      others.push_back(&other);
    }
  }
  const std::size_t reached =
      sendToAll({.op = Op::kPublish, .data = data}, others);
  figures_.unpublished += others.size() - reached;
  return reached;
}

// ---- To itself

Messenger::Result Mailbox::sendToSelf(Op op, unsigned to,
                                      std::uint64_t correlation,
                                      std::string_view event,
                                      std::string_view data) {
  if (localBytes_ >= kWindow) return Result::kFull;
  if (local_.empty()) {
    loop_.defer([this] { deliverLocal(); });
  }
  localBytes_ += detail::kOverhead + data.size();
  local_.push_back({op, to, correlation, std::string(event), Payload(data)});
  return Result::kSent;
}

void Mailbox::deliverLocal() {
  // Those that come meanwhile have their turn.
  for (auto left = local_.size(); left > 0; --left) {
    const Local mail = std::move(local_.front());
    local_.pop_front();
    localBytes_ -= detail::kOverhead + mail.data.view().size();
    handle(mail.op, {mail.event, mail.data.view(), self_, mail.to},
           placeOf(self_), mail.correlation);
  }
  if (!local_.empty()) {
    loop_.defer([this] { deliverLocal(); });
  }
}

}  // namespace brigade
