// The program that MessengerServingTest runs: STATIONS (4) Workers of one
// process each, so that a test reaches the process it wants by its address.
// They talk to each other as they are told by lines:
//
//   pid | to INDEX EVENT DATA | broadcast EVENT DATA | map EVENT MS |
//   consume EVENT DATA | consume-again EVENT DATA | ring EVENT DATA |
//   once KEY | got EVENT | members | news | run INDEX COMMAND |
//   large INDEX BYTES | flood INDEX COUNT BYTES | last-words COUNT | room |
//   set KEY VALUE [MS] | get KEY | erase KEY | storm KEY COUNT [BYTES] | write
//   KEY | acknowledged | written
//
// An answer may come late; one that is asked of another process (run) is what
// that one says. INDEX 0 is the master.

#include <brigade/brigade.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/support/Ear.h"
#include "tests/support/Environment.h"

namespace {

using brigade::Answer;
using brigade::Letter;
using brigade::Member;
using brigade::Messenger;
using brigade::SharedState;
using brigade::test::describe;
using brigade::test::Ear;
using brigade::test::variable;

std::string toText(Messenger::Result result) {
  switch (result) {
    case Messenger::Result::kSent:
      return "sent";
    case Messenger::Result::kFull:
      return "full";
    case Messenger::Result::kNobody:
      return "nobody";
    case Messenger::Result::kStale:
      return "stale";
  }
  return "unknown";
}

std::string toText(SharedState::Outcome outcome) {
  switch (outcome) {
    case SharedState::Outcome::kDone:
      return "done";
    case SharedState::Outcome::kRefused:
      return "refused";
    case SharedState::Outcome::kFull:
      return "full";
    case SharedState::Outcome::kNoMaster:
      return "no master";
  }
  return "unknown";
}

std::string pattern(std::size_t size) {
  std::string bytes(size, 'x');
  for (std::size_t i = 0; i < size; i += 997) {
    bytes[i] = static_cast<char>(i % 251);
  }
  return bytes;
}

using Say = std::function<void(const std::string&)>;

// Does what a line says, in any process.
class Interpreter {
 public:
  void open(Messenger& messenger, SharedState& state) {
    messenger_ = &messenger;
    state_ = &state;
    ear_.open(messenger);
    messenger.answer(
        "run", [this](const Letter& letter, const brigade::Reply& reply) {
          obey(std::string(letter.data),
               [reply](const std::string& text) { reply.send(text); });
        });
    messenger.answerWith("number", [this](const Letter&) {
      return std::to_string(messenger_->self().index);
    });
    messenger.answerWith("sum", [this](const Letter& letter) {
      return std::to_string(std::stoul(std::string(letter.data)) +
                            messenger_->self().index);
    });
    messenger.answerWith("pages", [](const Letter& letter) {
      return pattern(std::stoul(std::string(letter.data)));
    });
    // By index: throws, dies, hangs, answers. Of more than four, the rest
    // answer too.
    messenger.answerWith("trouble", [this](const Letter&) {
      if (messenger_->self().index == 1) throw std::runtime_error("boom");
      if (messenger_->self().index == 2) ::raise(SIGKILL);
      if (messenger_->self().index == 3) spin(std::chrono::seconds(2));
      return "fine";
    });
    messenger.answer(
        "die", [](const Letter&, const brigade::Reply&) { ::raise(SIGKILL); });
    messenger.answerWith("task-once-killed", [this](const Letter& letter) {
      ear_.note("task-once-killed", 0, letter.data);
      // The first worker that gets it does not survive it.
      if (::access(std::string(letter.data).c_str(), F_OK) != 0) {
        const int made = ::creat(std::string(letter.data).c_str(), 0600);
        if (made >= 0) ::raise(SIGKILL);
      }
      return "done by " + std::to_string(messenger_->self().index);
    });
  }

  void obey(const std::string& line, const Say& say) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (!tell(command, words, say) && !ask(command, words, say) &&
        !change(command, words, say)) {
      say("what is " + command + "?");
    }
  }

 private:
  static void spin(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
    }
  }

  // What is answered at once.
  bool tell(const std::string& command, std::istringstream& words,
            const Say& say) {
    unsigned index = 0;
    std::string event;
    std::string data;
    std::size_t count = 0;
    if (command == "pid") {
      say(std::to_string(::getpid()));
    } else if (command == "to") {
      words >> index >> event >> data;
      say(toText(messenger_->send(index, event, data)));
    } else if (command == "broadcast") {
      words >> event >> data;
      say(std::to_string(messenger_->broadcast(event, data)));
    } else if (command == "got") {
      words >> event;
      say(ear_.got(event));
    } else if (command == "members") {
      say(members());
    } else if (command == "news") {
      say(ear_.news());
    } else if (command == "room") {
      say(ear_.room());
    } else if (command == "large") {
      words >> index >> count;
      const std::string bytes = pattern(count);
      say(toText(messenger_->send(index, "large", bytes)) + " " +
          describe(bytes));
    } else if (command == "flood") {
      std::size_t size = 0;
      words >> index >> count >> size;
      say(flood(index, count, size));
    } else if (command == "last-words") {
      words >> count;
      for (std::size_t i = 0; i < count; ++i) {
        messenger_->send(0, "e", std::to_string(i));
      }
      ::_exit(0);
    } else if (command == "spin") {
      words >> count;
      spin(std::chrono::milliseconds(count));
      say("done");
    } else {
      return false;
    }
    return true;
  }

  // What others have to do with.
  bool ask(const std::string& command, std::istringstream& words,
           const Say& say) {
    std::string event;
    std::string data;
    if (command == "map") {
      std::size_t patience = 5000;
      words >> event >> patience >> data;
      messenger_->map(
          event, data,
          [say](const std::vector<Answer>& answers) { say(summary(answers)); },
          std::chrono::milliseconds(patience));
    } else if (command == "consume" || command == "consume-again") {
      words >> event >> data;
      messenger_->consume(
          event, data,
          [say](const Answer& answer) {
            say(std::string(toString(answer.status)) + " " +
                std::to_string(answer.from.index) + " " +
                std::string(answer.value.view()));
          },
          command == "consume" ? Messenger::Delivery::kAtMostOnce
                               : Messenger::Delivery::kAtLeastOnce);
    } else if (command == "ring") {
      words >> event >> data;
      messenger_->ring(event, data, [this, say](const brigade::Ring& ring) {
        std::ostringstream text;
        text << ring.value << " missing";
        for (const unsigned index : ring.missing) text << ' ' << index;
        messenger_->broadcast("report", ring.value);
        say(text.str());
      });
    } else if (command == "once") {
      words >> event;
      messenger_->runOnce(
          event, [this, event] { messenger_->send(0, "boot", event); });
      say("asked");
    } else if (command == "run") {
      unsigned index = 0;
      words >> index;
      std::getline(words >> std::ws, data);
      messenger_->request(index, "run", data, [say](const Answer& answer) {
        say(answer.status == Answer::Status::kOk
                ? std::string(answer.value.view())
                : std::string(toString(answer.status)) + " " +
                      std::string(answer.value.view()));
      });
    } else {
      return false;
    }
    return true;
  }

  // The shared state.
  bool change(const std::string& command, std::istringstream& words,
              const Say& say) {
    std::string key;
    std::string value;
    words >> key;
    if (command == "set") {
      SharedState::Terms terms;
      std::size_t lifetime = 0;
      if (words >> value && words >> lifetime) {
        terms.lifetime = std::chrono::milliseconds(lifetime);
      }
      state_->set(key, value, terms, sayOutcome(say));
    } else if (command == "erase") {
      state_->erase(key, sayOutcome(say));
    } else if (command == "get") {
      const SharedState::Entry* const entry = state_->find(key);
      say(entry == nullptr
              ? "none"
              : entry->value + " " + std::to_string(entry->version));
    } else if (command == "storm") {
      std::size_t count = 0;
      std::size_t size = 0;
      words >> count >> size;
      storm(key, count, size, say);
    } else if (command == "write") {
      writing_ = key;
      write();
      say("writing");
    } else if (command == "written") {
      writing_.clear();
      say(std::to_string(written_));
    } else if (command == "acknowledged") {
      say(std::to_string(written_));
    } else {
      return false;
    }
    return true;
  }
  static SharedState::OnOutcome sayOutcome(const Say& say) {
    return [say](SharedState::Outcome outcome, std::uint64_t version) {
      say(toText(outcome) + " " + std::to_string(version));
    };
  }
  // So many values, all on their way at once.
  void storm(const std::string& key, std::size_t count, std::size_t size,
             const Say& say) {
    for (std::size_t i = 1; i <= count; ++i) {
      std::string value =
          std::to_string(messenger_->self().index) + "." + std::to_string(i);
      value.resize(std::max(value.size(), size), '.');
      state_->set(key, value,
                  i == count ? sayOutcome(say) : SharedState::OnOutcome());
    }
  }
  // Counts up, each number when the one before is acknowledged.
  void write() {
    if (writing_.empty()) return;
    const std::uint64_t number = written_ + 1;
    state_->set(writing_, std::to_string(number),
                [this, number](SharedState::Outcome, std::uint64_t) {
                  written_ = number;
                  write();
                });
  }

  std::string members() const {
    std::ostringstream text;
    for (const Member& member : messenger_->members()) {
      text << member.index << ':' << member.pid << ':' << member.generation
           << ' ';
    }
    return text.str();
  }

  static std::string summary(const std::vector<Answer>& answers) {
    std::ostringstream text;
    for (const Answer& answer : answers) {
      const std::string_view value = answer.value.view();
      text << answer.from.index << '=' << toString(answer.status) << '(';
      if (value.size() > 64) {
        text << describe(value);
      } else {
        text << value;
      }
      text << ") ";
    }
    return text.str();
  }

  // How many were taken, and how long the slowest call took.
  std::string flood(unsigned index, std::size_t count, std::size_t size) {
    const std::string data(size, 'x');
    std::size_t taken = 0;
    std::chrono::steady_clock::duration slowest{};
    for (std::size_t i = 0; i < count; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const Messenger::Result result = messenger_->send(
          index, "flood", std::to_string(floods_) + " " + data);
      slowest = std::max(slowest, std::chrono::steady_clock::now() - begin);
      if (result != Messenger::Result::kSent) continue;
      ++floods_;
      ++taken;
    }
    return std::to_string(taken) + " " +
           std::to_string(
               std::chrono::duration_cast<std::chrono::microseconds>(slowest)
                   .count());
  }

  Messenger* messenger_ = nullptr;
  SharedState* state_ = nullptr;
  Ear ear_;
  std::size_t floods_ = 0;
  std::string writing_;  // a key; empty: not
  std::uint64_t written_ = 0;
};

class Station : public brigade::Worker {
 public:
  explicit Station(unsigned number)
      : Worker("text://127.0.0.1:0"), number_(number) {
    name = "station" + std::to_string(number);
  }

  void onMasterStart() override {
    if (number_ == 1) inMaster_.open(messenger(), state());
  }
  void onWorkerStart() override {
    interpreter_.open(messenger(), state());
    runOnce(variable("ONCE_AT_START", ""), Messenger::Scope::kServer);
    runOnce(variable("ONCE_EACH_RELOAD", ""), Messenger::Scope::kReload);
    const std::string fragile = variable("ONCE_FRAGILE", "");
    if (fragile.empty()) return;
    // The first one that runs it does not survive it.
    messenger().runOnce("fragile", [this, fragile] {
      if (::open(fragile.c_str(), O_CREAT | O_EXCL, 0600) >= 0) {
        ::raise(SIGKILL);
      }
      messenger().send(0, "boot", "fragile");
    });
  }
  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    interpreter_.obey(std::string(line.data()),
                      [this, id = connection.id()](const std::string& text) {
                        if (auto* const asker = find(id)) asker->send(text);
                      });
  }

 private:
  void runOnce(const std::string& key, Messenger::Scope scope) {
    if (key.empty()) return;
    messenger().runOnce(
        key, [this, key] { messenger().send(0, "boot", key); }, scope);
  }

  unsigned number_;
  Interpreter inMaster_;
  Interpreter interpreter_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto count =
      static_cast<unsigned>(std::stoul(variable("STATIONS", "4")));
  std::deque<Station> stations;
  std::vector<brigade::Worker*> workers;
  for (unsigned i = 1; i <= count; ++i) {
    workers.push_back(&stations.emplace_back(i));
  }
  brigade::RunConfig config;
  config.backoff.longest = config.backoff.first;
  return brigade::run(argc, argv, workers, config);
}
