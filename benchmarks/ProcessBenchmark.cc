// What the processes of a program cost each other: a program of several
// workers that measures itself when a line tells it to, and answers with a
// line of JSON: {"value": FIGURE, ...}. processes.py drives it.
//
//   pid                who answers
//   relay COUNT        µs from one worker through the master to another: half
//                      of a letter's way there and back; one in flight
//   rate SECONDS       letters a second, while each worker floods the next one
//   map BYTES          seconds until map() has an answer of that size from
//                      every worker

#include <brigade/brigade.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using brigade::Answer;
using brigade::Letter;
using brigade::Messenger;
using std::chrono::duration;
using Clock = std::chrono::steady_clock;

const std::string kLetter(64, 'x');
constexpr std::chrono::seconds kPatience{30};

double since(Clock::time_point begin) {
  return duration<double>(Clock::now() - begin).count();
}

class ProcessBenchmark : public brigade::Worker {
 public:
  ProcessBenchmark() : Worker("text://127.0.0.1:0") { count = 4; }

  void onWorkerStart() override {
    messenger().on("ping", [this](const Letter& letter) {
      messenger().send(letter.from.index, "pong", letter.data);
    });
    messenger().on("pong", [this](const Letter&) { onPong(); });
    messenger().on("flood", [this](const Letter& letter) {
      floodEnd_ = Clock::now() + std::chrono::milliseconds(std::atol(
                                     std::string(letter.data).c_str()));
      received_ = 0;
      flood();
    });
    messenger().on("drop", [this](const Letter&) {
      last_ = Clock::now();
      if (received_++ == 0) first_ = last_;
    });
    messenger().onRoom([this](unsigned) { flood(); });
    messenger().answerWith("received", [this](const Letter&) {
      const double seconds = duration<double>(last_ - first_).count();
      return std::to_string(
          seconds > 0 ? static_cast<double>(received_) / seconds : 0);
    });
    messenger().answer(
        "pages", [this](const Letter& letter, const brigade::Reply& reply) {
          pages_.resize(
              std::strtoul(std::string(letter.data).c_str(), nullptr, 10));
          reply.send(pages_);
        });
  }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    std::istringstream words{std::string(line.data())};
    std::string command;
    words >> command;
    client_ = connection.id();
    if (command == "pid") {
      answer(::getpid());
    } else if (command == "relay") {
      words >> left_;
      times_.clear();
      ping();
    } else if (command == "rate") {
      double seconds = 0;
      words >> seconds;
      measureRate(seconds);
    } else if (command == "map") {
      std::string bytes;
      words >> bytes;
      measureMap(bytes);
    }
  }

 private:
  unsigned next() const { return index() % processCount() + 1; }

  void answer(double value, const std::string& more = {}) {
    brigade::TcpConnection* const client = find(client_);
    if (client == nullptr) return;
    client->send("{\"value\": " + std::to_string(value) + more + "}");
  }
  void fail(std::string_view reason) {
    brigade::TcpConnection* const client = find(client_);
    if (client == nullptr) return;
    client->send("{\"error\": \"" + std::string(reason) + "\"}");
  }

  void ping() {
    sent_ = Clock::now();
    const Messenger::Result result = messenger().send(next(), "ping", kLetter);
    if (result != Messenger::Result::kSent) fail("nobody is there");
  }
  void onPong() {
    times_.push_back(since(sent_) * 1e6 / 2);
    if (--left_ > 0) return ping();
    std::sort(times_.begin(), times_.end());
    answer(times_[times_.size() / 2],
           ", \"p99\": " + std::to_string(times_[times_.size() * 99 / 100]));
  }

  void flood() {
    while (Clock::now() < floodEnd_ &&
           messenger().send(next(), "drop", kLetter) ==
               Messenger::Result::kSent) {
    }
  }
  void measureRate(double seconds) {
    const auto length = std::chrono::duration_cast<std::chrono::milliseconds>(
        duration<double>(seconds));
    messenger().broadcast("flood", std::to_string(length.count()));
    addTimer(length, brigade::Repeat::kOnce, [this] { gatherRates(); });
  }
  void gatherRates() {
    messenger().map("received", {}, [this](const auto& answers) {
      // Behind all that is on its way: too much is, as long as it is refused.
      if (isAny(answers, Answer::Status::kRefused)) {
        addTimer(std::chrono::milliseconds(10), brigade::Repeat::kOnce,
                 [this] { gatherRates(); });
        return;
      }
      double rate = 0;
      for (const Answer& each : answers) {
        rate += std::atof(std::string(each.value.view()).c_str());
      }
      answer(rate);
    });
  }

  void measureMap(const std::string& bytes) {
    const auto onAnswers = [this, bytes, begin = Clock::now()](
                               const std::vector<Answer>& answers) {
      const double seconds = since(begin);
      for (const Answer& each : answers) {
        if (each.status != Answer::Status::kOk) {
          return fail(toString(each.status));
        }
        if (std::to_string(each.value.view().size()) != bytes) {
          return fail("an answer has another size");
        }
      }
      answer(seconds, ", \"answers\": " + std::to_string(answers.size()));
    };
    messenger().map("pages", bytes, onAnswers, kPatience);
  }

  static bool isAny(const std::vector<Answer>& answers, Answer::Status status) {
    return std::any_of(
        answers.begin(), answers.end(),
        [status](const Answer& each) { return each.status == status; });
  }

  brigade::ConnectionId client_;
  Clock::time_point sent_;
  long left_ = 0;
  std::vector<double> times_;
  Clock::time_point floodEnd_;
  Clock::time_point first_;
  Clock::time_point last_;
  std::size_t received_ = 0;
  std::string pages_;
};

}  // namespace

int main(int argc, char** argv) {
  ProcessBenchmark benchmark;
  return brigade::run(argc, argv, {&benchmark});
}
