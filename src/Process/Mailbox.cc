#include "brigade/Process/Mailbox.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

using Status = Answer::Status;

constexpr std::string_view kReserved = "brigade:";

}  // namespace

Mailbox::Mailbox(EventInterface& loop, detail::Post& post, const Member& self,
                 const Roster& roster, Hooks hooks)
    : loop_(loop),
      post_(post),
      self_(self),
      hooks_(std::move(hooks)),
      workers_(roster.workers),
      alive_(std::make_shared<Mailbox*>(this)) {
  for (const Roster::Entry& entry : roster.entries) {
    Peer& known = peer(placeOf(entry.member));
    known.member = entry.member;
    known.standing = entry.standing;
  }
}

Mailbox::~Mailbox() { forget(); }

void Mailbox::forget() {
  // A Reply that is dropped now is no answer: its task may be another's.
  alive_ = std::make_shared<Mailbox*>(this);
  owedAnswers_ = 0;
  for (const auto& [correlation, question] : questions_) {
    loop_.del(question.deadline);
  }
  // Not in place: a destructor may come back here.
  std::exchange(questions_, {}).clear();
  std::exchange(late_, {}).clear();
}

// ---- Who is there

Mailbox::Place Mailbox::placeOf(const Member& member) {
  return {member.index, member.generation};
}

bool Mailbox::isSelf(unsigned index) const {
  return index == self_.index || (isMaster() && index > workers_);
}

Mailbox::Peer* Mailbox::find(const Place& place) {
  const auto found = peers_.find(place);
  return found == peers_.end() ? nullptr : &found->second;
}

Mailbox::Peer& Mailbox::peer(const Place& place) {
  const auto [found, isNew] = peers_.try_emplace(place);
  if (isNew) {
    found->second.member.index = place.index;
    found->second.member.generation = place.generation;
  }
  return found->second;
}

// The latest process at an index; the master at any that is none.
Mailbox::Peer* Mailbox::readyAt(unsigned index) {
  if (index == 0 || index > workers_) return &peer(Place{});
  auto next = peers_.lower_bound(Place{index + 1, 0});
  while (next != peers_.begin() && (--next)->first.index == index) {
    if (isReady(next->second)) return &next->second;
  }
  return nullptr;
}

std::vector<Member> Mailbox::members() const {
  std::vector<Member> all;
  for (const auto& [place, peer] : peers_) {
    if (isReady(peer)) all.push_back(peer.member);
  }
  return all;
}

bool Mailbox::hasOthers(unsigned group) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& each) {
    const auto& [place, other] = each;
    return isReady(other) && other.member.group == group &&
           place != placeOf(self_);
  });
}

void Mailbox::onOnline(OnOnline callback) {
  onOnline_.push_back(std::move(callback));
}

void Mailbox::onOffline(OnOffline callback) {
  onOffline_.push_back(std::move(callback));
}

void Mailbox::onMember(const Envelope& mail) {
  detail::MemberNews news;
  if (mail.data.size() < sizeof news) return;
  std::memcpy(&news, mail.data.data(), sizeof news);
  workers_ = news.workers;
  const auto standing = static_cast<Standing>(mail.code);
  if (news.replaces != 0) onSuccession(mail.from, news.replaces);
  Peer& known = peer(mail.from);
  const bool wasThere = known.standing.has_value();
  known.standing = standing;
  if (standing == Standing::kReady) {
    known.member.pid = static_cast<pid_t>(mail.correlation);
    known.member.group = news.group;
    const Member member = known.member;
    for (const OnOnline& callback : onOnline_) {
      guarded("onOnline", [&] { callback(member); });
    }
  } else if (standing == Standing::kGone) {
    const std::string_view reason = mail.data.substr(sizeof news);
    const Member member = known.member;
    onGone(mail.from, reason);
    if (!wasThere) return;
    for (const OnOffline& callback : onOffline_) {
      guarded("onOffline", [&] { callback(member, reason); });
    }
  }
}

// In one step, so that what is sent from a callback reaches one of the two:
// never both, never none.
void Mailbox::onSuccession(const Place& heir, std::uint32_t generation) {
  const Place before{heir.index, generation};
  if (before == placeOf(self_)) {
    while (!local_.empty()) deliverLocal();
    if (hooks_.onSucceeded) hooks_.onSucceeded();
  } else if (Peer* const known = find(before)) {
    known->standing = Standing::kDraining;
  }
}

void Mailbox::succeed() {
  for (auto& [place, known] : peers_) {
    if (place.index == self_.index && known.standing) {
      known.standing = Standing::kDraining;
    }
  }
}

void Mailbox::onGone(const Place& place, std::string_view reason) {
  peers_.erase(place);
  std::vector<std::uint64_t> lost;
  for (const auto& [correlation, question] : questions_) {
    if (placeOf(question.asked) == place) lost.push_back(correlation);
  }
  std::sort(lost.begin(), lost.end());
  for (const std::uint64_t correlation : lost) {
    const auto question = questions_.find(correlation);
    if (question == questions_.end()) continue;
    const Member asked = question->second.asked;  // settle() forgets it
    settle(correlation, asked, Status::kDied, Payload(reason));
  }
}

// ---- Handlers

// What a program gives a name and sends, before anything is done with it.
void Mailbox::check(std::string_view event, std::string_view data) {
  if (event.empty() || event.size() > detail::kMaxName) {
    throw std::invalid_argument(
        "the name of an event has 1 to 255 bytes, not " +
        std::to_string(event.size()));
  }
  if (event.starts_with(kReserved)) {
    throw std::invalid_argument("names of events that begin with '" +
                                std::string(kReserved) +
                                "' are reserved: " + std::string(event));
  }
  if (data.size() > Messenger::kMaxData) {
    throw std::length_error("a letter of " + std::to_string(data.size()) +
                            " bytes; at most " +
                            std::to_string(Messenger::kMaxData));
  }
}

Mailbox::Event& Mailbox::registered(std::string_view event) {
  check(event);
  const auto found = events_.find(event);
  if (found != events_.end()) return found->second;
  if (!isMaster()) toMaster({.op = Op::kListen, .name = event});
  return events_[std::string(event)];
}

void Mailbox::forgetIfEmpty(std::string_view event) {
  const auto found = events_.find(event);
  if (found == events_.end() || !found->second.listeners.empty() ||
      found->second.responder) {
    return;
  }
  if (!isMaster()) toMaster({.op = Op::kIgnore, .name = event});
  events_.erase(found);
}

Messenger::HandlerId Mailbox::on(std::string_view event, Handler handler) {
  const HandlerId id{nextHandler_++};
  registered(event).listeners.push_back(
      std::make_shared<Listener>(Listener{id, false, std::move(handler)}));
  return id;
}

Messenger::HandlerId Mailbox::once(std::string_view event, Handler handler) {
  const HandlerId id = on(event, std::move(handler));
  events_.find(event)->second.listeners.back()->once = true;
  return id;
}

void Mailbox::off(HandlerId handler) {
  for (auto& [name, event] : events_) {
    const auto found = std::find_if(
        event.listeners.begin(), event.listeners.end(),
        [&](const auto& listener) { return listener->id == handler; });
    if (found == event.listeners.end()) continue;
    // Perhaps it is the next one in a row that is being called just now.
    (*found)->handler = nullptr;
    event.listeners.erase(found);
    forgetIfEmpty(std::string(name));
    return;
  }
}

void Mailbox::answer(std::string_view event, Responder responder) {
  Event& place = registered(event);
  if (!place.responder) place.responder = std::move(responder);
}

void Mailbox::setDispatcher(Dispatcher dispatcher) {
  dispatcher_ = std::move(dispatcher);
}

// ---- Over execve(2)

void Mailbox::Parcel::carry(Archive& archive) {
  archive(mail.op, mail.code, mail.from, mail.correlation, mail.size, name,
          data, sealed);
  mail.descriptor = sealed.get();
}

void Mailbox::Peer::carry(Archive& archive) {
  archive(member.index, member.generation, member.pid, member.group, standing,
          outstanding, wanted, waiting);
}

void Mailbox::carry(Archive& archive) {
  archive(workers_, peers_, nextQuestion_);
}

}  // namespace brigade
