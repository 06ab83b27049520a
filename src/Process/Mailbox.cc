#include "brigade/Process/Mailbox.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "brigade/Events/Archive.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/SealedMemory.h"

namespace brigade {
namespace {

using Status = Answer::Status;

constexpr std::string_view kTooMany =
    "too many questions wait for their answers";
constexpr std::string_view kReserved = "brigade:";
// Names of events without a handler that are reported, each once.
constexpr std::size_t kMostReported = 1000;
// Until what could not be sent for want of a descriptor is tried again.
constexpr std::chrono::milliseconds kAgain{100};

void check(std::string_view event, std::string_view data = {}) {
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

std::string_view whyNot(Messenger::Result result) {
  switch (result) {
    case Messenger::Result::kFull:
      return "too much waits for it";
    case Messenger::Result::kStale:
      return "it has had its successor";
    default:
      return "no such worker";
  }
}

}  // namespace

// The way back of one question.
class Mailbox::Answering final : public Reply::Carrier {
 public:
  Answering(std::weak_ptr<Mailbox*> box, Op question, Place asker,
            std::uint64_t correlation)
      : box_(std::move(box)),
        question_(question),
        asker_(asker),
        correlation_(correlation) {
    ++(*box_.lock())->owedAnswers_;
  }
  ~Answering() override {
    try {
      carry(Status::kError, "its handler went without an answer");
    } catch (const std::exception&) {
      // No memory: the asker has a deadline.
    }
  }
  void carry(Status status, std::string_view data) override {
    if (std::exchange(answered_, true)) return;
    const auto box = box_.lock();
    if (box) {
      --(*box)->owedAnswers_;
      (*box)->answerTo(question_, asker_, correlation_, status, data);
    }
  }

 private:
  std::weak_ptr<Mailbox*> box_;
  Op question_;
  Place asker_;
  std::uint64_t correlation_;
  bool answered_ = false;
};

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

void Mailbox::onOnline(OnOnline callback) {
  onOnline_.push_back(std::move(callback));
}

void Mailbox::onOffline(OnOffline callback) {
  onOffline_.push_back(std::move(callback));
}

void Mailbox::onRoom(OnRoom callback) {
  onRoom_.push_back(std::move(callback));
}

// ---- Handlers

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

// ---- Out

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

bool Mailbox::hasOthers(unsigned group) const {
  return std::any_of(peers_.begin(), peers_.end(), [&](const auto& each) {
    const auto& [place, other] = each;
    return isReady(other) && other.member.group == group &&
           place != placeOf(self_);
  });
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

// ---- Questions

std::uint64_t Mailbox::remember(OnAnswer onAnswer, const Member& asked) {
  const std::uint64_t correlation = nextQuestion_++;
  questions_.emplace(correlation, Question{std::move(onAnswer), asked, {}});
  return correlation;
}

void Mailbox::request(unsigned index, std::string_view event,
                      std::string_view data, OnAnswer onAnswer,
                      Clock::duration patience) {
  check(event, data);
  const bool self = isSelf(index);
  Peer* const to = self ? nullptr : readyAt(index);
  Member member = self_;
  if (!self) member = to == nullptr ? Member{.index = index} : to->member;
  ask(to, member, self, index, event, data, std::move(onAnswer), patience);
}

void Mailbox::request(const Member& member, std::string_view event,
                      std::string_view data, OnAnswer onAnswer,
                      Clock::duration patience) {
  check(event, data);
  const bool self = placeOf(member) == placeOf(self_);
  Peer* to = self ? nullptr : find(placeOf(member));
  if (to != nullptr && member.index != 0 && !isReady(*to)) to = nullptr;
  ask(to, member, self, member.index, event, data, std::move(onAnswer),
      patience);
}

void Mailbox::ask(Peer* peer, const Member& member, bool self, unsigned to,
                  std::string_view event, std::string_view data,
                  OnAnswer onAnswer, Clock::duration patience) {
  if (questions_.size() >= kMaxQuestions) {
    settleLater(std::move(onAnswer), member, Status::kRefused, kTooMany);
    return;
  }
  const std::uint64_t correlation = remember(std::move(onAnswer), member);
  Result result = Result::kNobody;
  if (self) {
    result = sendToSelf(Op::kRequest, to, correlation, event, data);
  } else if (peer != nullptr) {
    result = sendTo(*peer, {.op = Op::kRequest,
                            .correlation = correlation,
                            .name = event,
                            .data = data});
  }
  Question& question = questions_.at(correlation);
  if (result != Result::kSent) {
    settleLater(std::move(question.onAnswer), member, Status::kRefused,
                whyNot(result));
    questions_.erase(correlation);
    return;
  }
  question.deadline = loop_.add(patience, Repeat::kOnce, [this, correlation] {
    const Member asked = questions_.at(correlation).asked;
    settle(correlation, asked, Status::kTimeout, {});
  });
}

void Mailbox::settleLater(OnAnswer onAnswer, const Member& from, Status status,
                          std::string_view why) {
  loop_.defer([this, call = std::move(onAnswer),
               answer = Answer{from, status, Payload(why)}] {
    if (call) guarded("an answer", [&] { call(answer); });
  });
}

void Mailbox::settle(std::uint64_t correlation, const Member& from,
                     Status status, const Payload& value) {
  const auto found = questions_.find(correlation);
  if (found == questions_.end()) {
    ++figures_.lateAnswers;
    return;
  }
  const Question question = std::move(found->second);
  questions_.erase(found);
  loop_.del(question.deadline);
  if (!question.onAnswer) return;
  guarded("an answer", [&] { question.onAnswer({from, status, value}); });
}

void Mailbox::consume(std::string_view event, std::string_view data,
                      OnAnswer onAnswer, Delivery delivery) {
  check(event, data);
  if (questions_.size() >= kMaxQuestions) {
    settleLater(std::move(onAnswer), {}, Status::kRefused, kTooMany);
    return;
  }
  const std::uint64_t correlation = remember(std::move(onAnswer), {});
  const Result result =
      sendTo(peer(Place{}), {.op = Op::kConsume,
                             .code = static_cast<std::uint8_t>(delivery),
                             .correlation = correlation,
                             .name = event,
                             .data = data});
  if (result == Result::kSent) return;
  settleLater(std::move(questions_.at(correlation).onAnswer), {},
              Status::kRefused, whyNot(result));
  questions_.erase(correlation);
}

void Mailbox::runOnce(std::string_view key, std::function<void()> task,
                      Scope scope) {
  check(key);
  const std::uint64_t correlation = nextQuestion_++;
  leases_.emplace(correlation, Lease{std::string(key), std::move(task)});
  toMaster({.op = Op::kLease,
            .code = static_cast<std::uint8_t>(scope),
            .correlation = correlation,
            .name = key});
}

void Mailbox::answerTo(Op question, const Place& asker,
                       std::uint64_t correlation, Status status,
                       std::string_view data) {
  Envelope mail{.op = Op::kReply,
                .code = static_cast<std::uint8_t>(status),
                .correlation = correlation,
                .data = data};
  if (question == Op::kTask) {
    mail.op = Op::kTaskDone;
    toMaster(mail);
  } else if (asker == placeOf(self_)) {
    const auto found = questions_.find(correlation);
    if (found == questions_.end()) {
      ++figures_.lateAnswers;
      return;
    }
    loop_.del(found->second.deadline);
    settleLater(std::move(found->second.onAnswer), self_, status, data);
    questions_.erase(found);
  } else {
    mustSend(peer(asker), mail);
  }
}

// ---- In

template <typename Call>
bool Mailbox::guarded(std::string_view where, Call call) {
  try {
    call();
    return true;
  } catch (...) {
    hooks_.onException(where, std::current_exception());
    return false;
  }
}

std::optional<Payload> Mailbox::payloadOf(const Envelope& mail) {
  if (mail.descriptor < 0) return Payload(mail.data);
  try {
    return Payload(
        std::make_shared<const SealedMemory>(mail.descriptor, mail.size));
  } catch (const std::exception& e) {
    hooks_.onTrouble("what worker " + std::to_string(mail.from.index) +
                     " sent is lost: " + e.what());
    return std::nullopt;
  }
}

void Mailbox::drain() { toMaster({.op = Op::kDraining}); }

void Mailbox::forget() {
  // A Reply that is dropped now is no answer: its task may be another's.
  alive_ = std::make_shared<Mailbox*>(this);
  owedAnswers_ = 0;
  for (const auto& [correlation, question] : questions_) {
    loop_.del(question.deadline);
  }
  // Not in place: a destructor may come back here.
  std::exchange(questions_, {}).clear();
}

void Mailbox::deliver(const Envelope& mail) {
  switch (mail.op) {
    case Op::kCredit:
      return onCredit(mail.from, mail.correlation);
    case Op::kMember:
      return onMember(mail);
    case Op::kLeaseGranted:
      return onLease(true, mail.correlation);
    case Op::kLeaseTaken:
      return onLease(false, mail.correlation);
    case Op::kMoved:
      return onMoved(mail);
    default:
      break;
  }
  const Peer* const known = find(mail.from);
  const Member from = known == nullptr
                          ? Member{mail.from.index, mail.from.generation, 0, 0}
                          : known->member;
  // What lies in the frame is not copied for a handler.
  std::optional<Payload> kept;
  if (mail.descriptor >= 0 || mail.op == Op::kReply) {
    kept = payloadOf(mail);
    if (!kept && mail.op == Op::kReply) {
      settle(mail.correlation, from, Status::kError, Payload("it is lost"));
    }
    if (!kept) return;
  }
  const std::string_view data = kept ? kept->view() : mail.data;
  if (mail.op == Op::kReply) {
    settle(mail.correlation, from, static_cast<Status>(mail.code), *kept);
  } else if (mail.op == Op::kPublish) {
    if (onPublished_) guarded("publish", [&] { onPublished_(data); });
  } else if (mail.op == Op::kLetter) {
    const auto to = static_cast<unsigned>(mail.correlation);
    handle(mail.op, {mail.name, data, from, to}, mail.from, 0);
  } else if (mail.op == Op::kRequest || mail.op == Op::kTask) {
    handle(mail.op, {mail.name, data, from, self_.index}, mail.from,
           mail.correlation);
  }
}

void Mailbox::handle(Op op, const Letter& letter, const Place& from,
                     std::uint64_t correlation) {
  if (dispatcher_ && isSentOn(op, letter, from, correlation)) return;
  const auto found = events_.find(letter.event);
  Event* const event = found == events_.end() ? nullptr : &found->second;
  if (op != Op::kLetter &&
      (op == Op::kRequest || (event && event->responder))) {
    respond(event, op, letter, from, correlation);
    return;
  }
  std::string failure;
  const bool heard = event != nullptr && callListeners(letter, failure);
  if (!heard) unhandled(letter.event);
  if (op != Op::kTask) return;
  answerTo(op, from, correlation,
           !heard            ? Status::kNoHandler
           : failure.empty() ? Status::kOk
                             : Status::kError,
           failure);
}

// True when the dispatcher has taken it away from the handlers.
bool Mailbox::isSentOn(Op op, const Letter& letter, const Place& from,
                       std::uint64_t correlation) {
  Route route;
  const std::string where =
      "the dispatcher, of '" + std::string(letter.event) + "'";
  if (!guarded(where, [&] { route = dispatcher_(letter); })) {
    route.to = Route::To::kNobody;
  }
  if (route.to == Route::To::kHandlers) return false;
  if (op == Op::kLetter) {
    guarded(where, [&] {
      if (route.to == Route::To::kIndex) {
        send(route.index, letter.event, letter.data);
      } else if (route.to == Route::To::kWorkers) {
        broadcast(letter.event, letter.data);
      }
    });
    return true;
  }
  const Reply reply(std::make_shared<Answering>(alive_, op, from, correlation));
  if (route.to != Route::To::kIndex) {
    reply.fail("the dispatcher has sent it to nobody who could answer");
    return true;
  }
  request(
      route.index, letter.event, letter.data,
      [reply](const Answer& answer) {
        if (answer.status == Status::kOk) {
          reply.send(answer.value.view());
        } else {
          reply.fail(std::string(toString(answer.status)) + ": " +
                     std::string(answer.value.view()));
        }
      },
      kPatience);
  return true;
}

// Of those that were there when it came. False: there was nobody.
bool Mailbox::callListeners(const Letter& letter, std::string& failure) {
  const auto found = events_.find(letter.event);
  if (found == events_.end()) return false;
  const auto listeners = found->second.listeners;
  for (const auto& listener : listeners) {
    if (!listener->handler) continue;
    const Handler handler = listener->handler;
    if (listener->once) off(listener->id);
    try {
      handler(letter);
    } catch (...) {
      failure = exceptionText(std::current_exception());
      hooks_.onException("a handler of '" + std::string(letter.event) + "'",
                         std::current_exception());
    }
  }
  return !listeners.empty();
}

void Mailbox::respond(Event* event, Op op, const Letter& letter,
                      const Place& from, std::uint64_t correlation) {
  if (event == nullptr || !event->responder) {
    unhandled(letter.event);
    answerTo(op, from, correlation, Status::kNoHandler, {});
    return;
  }
  const Reply reply(std::make_shared<Answering>(alive_, op, from, correlation));
  try {
    event->responder(letter, reply);
  } catch (...) {
    reply.fail(exceptionText(std::current_exception()));
    hooks_.onException("what answers '" + std::string(letter.event) + "'",
                       std::current_exception());
  }
}

void Mailbox::unhandled(std::string_view event) {
  ++figures_.unhandled;
  if (reported_.size() >= kMostReported || reported_.contains(event)) return;
  reported_.emplace(event);
  hooks_.onTrouble("nobody here listens for '" + std::string(event) + "'");
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

void Mailbox::onMoved(const Envelope& mail) {
  const auto question = questions_.find(mail.correlation);
  if (question != questions_.end()) {
    question->second.asked = peer(mail.from).member;
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

void Mailbox::onLease(bool granted, std::uint64_t correlation) {
  auto node = leases_.extract(correlation);
  if (node.empty() || !granted) return;
  const Lease& lease = node.mapped();
  const bool done = guarded("what '" + lease.key + "' runs once", lease.task);
  toMaster({.op = done ? Op::kLeaseDone : Op::kLeaseFailed,
            .correlation = correlation,
            .name = lease.key});
}

}  // namespace brigade
