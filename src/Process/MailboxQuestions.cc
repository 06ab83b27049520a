// What this process asks, and what it answers: questions, tasks and leases.

#include <utility>

#include "brigade/Process/Mailbox.h"

namespace brigade {
namespace {

using Status = Answer::Status;

constexpr std::string_view kTooMany =
    "too many questions wait for their answers";

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

// Who asks has an exception, and no answer as well.
Messenger::Result Mailbox::pose(std::uint64_t correlation,
                                const std::function<Result()>& send) {
  try {
    return send();
  } catch (...) {
    questions_.erase(correlation);
    throw;
  }
}

void Mailbox::ask(Peer* peer, const Member& member, bool self, unsigned to,
                  std::string_view event, std::string_view data,
                  OnAnswer onAnswer, Clock::duration patience) {
  if (questions_.size() >= kMaxQuestions) {
    settleLater(std::move(onAnswer), member, Status::kRefused, kTooMany);
    return;
  }
  const std::uint64_t correlation = remember(std::move(onAnswer), member);
  const Result result = pose(correlation, [&] {
    if (self) return sendToSelf(Op::kRequest, to, correlation, event, data);
    if (peer == nullptr) return Result::kNobody;
    return sendTo(*peer, {.op = Op::kRequest,
                          .correlation = correlation,
                          .name = event,
                          .data = data});
  });
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
  if (!onAnswer) return;
  later([call = std::move(onAnswer),
         answer = Answer{from, status, Payload(why)}] { call(answer); });
}

void Mailbox::later(std::function<void()> call) {
  if (late_.empty()) loop_.defer([this] { callLate(); });
  late_.push_back(std::move(call));
}

void Mailbox::callLate() {
  for (const auto& call : std::exchange(late_, {})) guarded("an answer", call);
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

void Mailbox::onMoved(const Envelope& mail) {
  const auto question = questions_.find(mail.correlation);
  if (question != questions_.end()) {
    question->second.asked = peer(mail.from).member;
  }
}

void Mailbox::consume(std::string_view event, std::string_view data,
                      OnAnswer onAnswer, Delivery delivery) {
  check(event, data);
  if (questions_.size() >= kMaxQuestions) {
    settleLater(std::move(onAnswer), {}, Status::kRefused, kTooMany);
    return;
  }
  const std::uint64_t correlation = remember(std::move(onAnswer), {});
  const Result result = pose(correlation, [&] {
    return sendTo(peer(Place{}), {.op = Op::kConsume,
                                  .code = static_cast<std::uint8_t>(delivery),
                                  .correlation = correlation,
                                  .name = event,
                                  .data = data});
  });
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

void Mailbox::onLease(bool granted, std::uint64_t correlation) {
  auto node = leases_.extract(correlation);
  if (node.empty() || !granted) return;
  const Lease& lease = node.mapped();
  const bool done = guarded("what '" + lease.key + "' runs once", lease.task);
  toMaster({.op = done ? Op::kLeaseDone : Op::kLeaseFailed,
            .correlation = correlation,
            .name = lease.key});
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

}  // namespace brigade
