// The program that CoroutineServingTest runs: processes whose functions wait in
// their middle. A line is a command:
//
//   id | map DATA | maps COUNT | master COUNT | add N | wait HOW |
//   late | release | clients
//
// `maps` and `master` ask so many times at once, with random delays in those
// that answer, and say how many were answered right: asked by this process, or
// by the master. `wait` waits for ever, with HOW answer, time or never (what
// nothing will ever call). `late` waits until another client says `release`,
// and then looks for its own.
//
// EVENT_LOG, from the environment, is a file to which is noted what happens.

#include <brigade/brigade.h>

#include <chrono>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/EventLog.h"

namespace {

using brigade::Answer;
using brigade::ConnectionId;
using brigade::Coroutine;
using brigade::Letter;
using brigade::Messenger;
using brigade::Reply;
using brigade::SharedState;
using brigade::test::note;
using std::chrono::hours;
using std::chrono::milliseconds;

// "INDEX:VALUE ..." of those that have answered.
std::string toText(const std::vector<Answer>& answers) {
  std::string text;
  for (const Answer& answer : answers) {
    if (!text.empty()) text += ' ';
    text += std::to_string(answer.from.index);
    text += ':';
    text += answer.status == Answer::Status::kOk ? answer.value.view()
                                                 : toString(answer.status);
  }
  return text;
}

class Subject : public brigade::Worker {
 public:
  Subject() : Worker("text://127.0.0.1:0") {}

  void onMasterStart() override {
    messenger().answer("maps", [this](const Letter& letter, const Reply& to) {
      countRight(std::stoul(std::string(letter.data)),
                 [to](const std::string& text) { to.send(text); });
    });
    messenger().on("let go", [](const Letter& letter) {
      note("hears of " + std::string(letter.data));
    });
  }
  void onWorkerStart() override {
    random_.seed(index());
    messenger().answer("echo", [this](const Letter& letter, const Reply& to) {
      answerSlowly(std::string(letter.data), to).start();
    });
    messenger().answer("never", [this](const Letter&, const Reply& to) {
      unanswered_.push_back(to);
    });
  }
  void onWorkerStop() override { note("onWorkerStop"); }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& message) override {
    std::istringstream words{std::string(message.data())};
    std::string verb;
    std::string argument;
    words >> verb >> argument;
    const ConnectionId id = connection.id();
    if (verb == "id") {
      connection.send("index=" + std::to_string(index()) +
                      " pid=" + std::to_string(::getpid()));
    } else if (verb == "map") {
      map(id, argument).start();
    } else if (verb == "maps") {
      countRight(std::stoul(argument),
                 [this, id](const std::string& text) { say(id, text); });
    } else if (verb == "master") {
      askMaster(id, argument).start();
    } else if (verb == "add") {
      add(id, std::stol(argument)).start();
    } else if (verb == "wait") {
      wait(argument).start();
      connection.send("waits");
    } else if (verb == "late") {
      late(id).start();
      connection.send("waits");
    } else if (verb == "release") {
      for (const Reply& reply : std::exchange(unanswered_, {})) reply.send({});
      connection.send("released");
    } else if (verb == "clients") {
      connection.send(std::to_string(connectionCount()));
    }
  }

 private:
  using Say = std::function<void(const std::string&)>;

  // How many of so many maps() at once were answered right.
  struct Tally {
    std::size_t open;
    std::size_t right;
    Say say;
  };

  void say(ConnectionId id, std::string_view text) {
    if (auto* const client = find(id)) client->send(text);
  }

  Coroutine answerSlowly(std::string data, Reply reply) {
    co_await sleepFor(milliseconds(random_() % 20));
    reply.send(data + "." + std::to_string(index()));
  }
  Coroutine map(ConnectionId id, std::string data) {
    say(id, toText(co_await messenger().map("echo", data)));
  }
  Coroutine askMaster(ConnectionId id, std::string times) {
    const Answer answer = co_await messenger().request(0, "maps", times);
    say(id, answer.value.view());
  }

  void countRight(std::size_t times, const Say& done) {
    const auto tally = std::make_shared<Tally>(Tally{times, 0, done});
    for (std::size_t i = 0; i < times; ++i) {
      check(std::to_string(i), tally).start();
    }
  }
  Coroutine check(std::string data, std::shared_ptr<Tally> tally) {
    std::string wanted;
    for (unsigned i = 1; i <= messenger().workers(); ++i) {
      if (i > 1) wanted += ' ';
      wanted += std::to_string(i) + ":" + data + "." + std::to_string(i);
    }
    const auto answers = co_await messenger().map("echo", data);
    if (toText(answers) == wanted) ++tally->right;
    if (--tally->open == 0) tally->say(std::to_string(tally->right));
  }

  // To a number that all processes share: until nobody else was quicker.
  Coroutine add(ConnectionId id, long n) {
    for (;;) {
      const SharedState::Entry* const now = state().find("sum");
      const std::string sum =
          std::to_string((now == nullptr ? 0 : std::stol(now->value)) + n);
      SharedState::Terms terms{.condition = SharedState::Condition::kAbsent};
      if (now != nullptr) {
        terms = {SharedState::Condition::kVersion, now->version};
      }
      const auto change = co_await state().trySet("sum", sum, terms);
      if (change.outcome == SharedState::Outcome::kRefused) continue;
      co_return say(id, sum);
    }
  }
  Coroutine late(ConnectionId id) {
    co_await messenger().request(index(), "never");
    note(find(id) == nullptr ? "late: gone" : "late: there");
  }

  // Says when it goes, to the master too.
  class Witness {
   public:
    Witness(Subject& subject, std::string name)
        : subject_(subject), name_(std::move(name)) {}
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    ~Witness() {
      note("let go of " + name_);
      subject_.messenger().send(0, "let go", name_);
    }

   private:
    Subject& subject_;
    std::string name_;
  };
  Coroutine wait(std::string how) {
    const Witness witness(*this, how);
    if (how == "time") {
      co_await sleepFor(hours(1));
    } else if (how == "answer") {
      co_await messenger().request(index(), "never", {}, hours(1));
    } else {
      co_await brigade::awaited<Answer>([](const Messenger::OnAnswer&) {});
    }
    note("went on behind " + how);
  }

  std::minstd_rand random_;
  std::vector<Reply> unanswered_;
};

}  // namespace

int main(int argc, char** argv) {
  Subject subject;
  subject.name = "subject";
  return brigade::run(argc, argv, {&subject});
}
