// What comes in: from the frame to the handler of the program.

#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/Mailbox.h"
#include "brigade/Process/SealedMemory.h"

namespace brigade {
namespace {

using Status = Answer::Status;

// Names of events without a handler that are reported, each once.
constexpr std::size_t kMostReported = 1000;

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

}  // namespace brigade
