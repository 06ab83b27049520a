#include "brigade/Process/Messenger.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace brigade {
namespace {

// The answers to one map(), as they come.
struct Gathering {
  std::vector<Answer> answers;
  std::size_t missing = 0;
  Messenger::OnAnswers onAnswers;
};

// A ring() on its way.
struct Walk {
  Messenger& messenger;
  std::string event;
  Messenger::OnRing onRing;
  Clock::time_point deadline;
  Ring ring;
};

void goOn(const std::shared_ptr<Walk>& walk, unsigned index);

void visit(const std::shared_ptr<Walk>& walk, unsigned index) {
  const Clock::duration left = walk->deadline - Clock::now();
  walk->messenger.request(
      index, walk->event, walk->ring.value,
      [walk, index](const Answer& answer) {
        Ring& ring = walk->ring;
        const bool ok = answer.status == Answer::Status::kOk;
        if (ok) ring.value = answer.value.view();
        (ok ? ring.contributed : ring.missing).push_back(index);
        goOn(walk, index);
      },
      std::max(left, Clock::duration::zero()));
}

// From that one to the next. Who cannot be asked is missing, as who does not
// answer is: the walk has an end.
void goOn(const std::shared_ptr<Walk>& walk, unsigned index) {
  while (index != 0) {
    index = index < walk->messenger.workers() ? index + 1 : 0;
    try {
      visit(walk, index);
      return;
    } catch (const std::exception&) {
      walk->ring.missing.push_back(index);
    }
  }
  walk->onRing(walk->ring);
}

}  // namespace

std::string_view toString(Answer::Status status) {
  switch (status) {
    case Answer::Status::kOk:
      return "ok";
    case Answer::Status::kError:
      return "error";
    case Answer::Status::kNoHandler:
      return "no handler";
    case Answer::Status::kDied:
      return "died";
    case Answer::Status::kTimeout:
      return "timeout";
    case Answer::Status::kRefused:
      return "refused";
  }
  return "unknown";
}

void Messenger::answerWith(
    std::string_view event,
    std::function<std::string(const Letter&)> responder) {
  answer(event, [respond = std::move(responder)](const Letter& letter,
                                                 const Reply& reply) {
    reply.send(respond(letter));
  });
}

std::size_t Messenger::broadcast(std::string_view event,
                                 std::string_view data) {
  return broadcast(event, data, Audience{});
}

void Messenger::map(std::string_view event, std::string_view data,
                    OnAnswers onAnswers, Clock::duration patience) {
  const std::vector<Member> asked = members();
  auto gathering = std::make_shared<Gathering>();
  gathering->answers.resize(asked.size());
  gathering->missing = asked.size();
  gathering->onAnswers = std::move(onAnswers);
  if (asked.empty()) {
    later([gathering] { gathering->onAnswers({}); });
    return;
  }
  for (std::size_t i = 0; i < asked.size(); ++i) {
    request(
        asked[i], event, data,
        [gathering, i](const Answer& answer) {
          gathering->answers[i] = answer;
          if (--gathering->missing > 0) return;
          gathering->onAnswers(gathering->answers);
        },
        patience);
  }
}

void Messenger::ring(std::string_view event, std::string_view data,
                     OnRing onRing, Clock::duration patience) {
  auto walk = std::make_shared<Walk>(Walk{*this,
                                          std::string(event),
                                          std::move(onRing),
                                          Clock::now() + patience,
                                          {std::string(data), {}, {}}});
  visit(walk, workers() == 0 ? 0 : 1);
}

}  // namespace brigade
