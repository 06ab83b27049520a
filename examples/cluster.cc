// Four processes that work as one, and a program beside them. A line is a
// command; `tell` reaches the clients of all processes:
//   ./cluster start
//   printf 'add 5\nadd 2\nsum\njob x\nprogram ping\n' | nc -w 1 127.0.0.1 5682
//   nc 127.0.0.1 5682     in two windows; then write: tell hello

#include <brigade/brigade.h>

#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>

using brigade::Answer;
using brigade::Coroutine;
using brigade::SharedState;
using Delivery = brigade::Messenger::Delivery;

// It says hi to the master, and answers what it is asked in upper case.
constexpr char kProgram[] = R"(
import socket, sys
master = socket.socket(fileno=int(sys.argv[-1]))
master.send(b"hi\0")
while message := master.recv(70000):
    master.send(b"answer\0" + message.partition(b"\0")[2].upper())
)";

class Cluster : public brigade::Worker {
 public:
  Cluster() : Worker("text://0.0.0.0:5682") { count = 4; }

  // In the master, which carries questions to the program.
  void onMasterStart() override {
    messenger().answer("program", [this](const auto& letter, auto reply) {
      if (post_ == nullptr) return reply.fail("it has not said hi yet");
      post_->send("upper", "ask", letter.data);
      asked_.push_back(reply);
    });
  }
  void onProgram(const brigade::ProgramMessage& said,
                 brigade::ProgramPost& post) {
    post_ = &post;
    if (said.event == "hi") asked_.clear();  // a new one knows of nothing
    if (said.event != "answer" || asked_.empty()) return;
    asked_.front().send(said.data);
    asked_.pop_front();
  }

  // In each worker process.
  void onWorkerStart() override {
    messenger().on("tell", [this](const auto& letter) {
      for (auto& connection : connections()) connection.send(letter.data);
    });
    messenger().answerWith("clients", [this](const auto&) {
      return std::to_string(connectionCount());
    });
    messenger().answerWith("job", [this](const auto& letter) {
      return "worker " + std::to_string(index()) + " did " +
             std::string(letter.data);
    });
  }
  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    const auto space = line.data().find(' ');
    const std::string command(line.data().substr(0, space));
    const std::string text(line.data().substr(
        space == std::string_view::npos ? line.data().size() : space + 1));
    const brigade::ConnectionId id = connection.id();
    if (command == "tell") {
      messenger().broadcast("tell", text);
    } else if (command == "add") {
      add(id, std::atol(text.c_str())).start();
    } else if (command == "sum") {
      sum(id).start();
    } else if (command == "job") {
      job(id, text).start();
    } else if (command == "program") {
      program(id, text).start();
    }
  }

 private:
  // The client may have left meanwhile.
  void tell(brigade::ConnectionId id, std::string_view text) {
    if (auto* const client = find(id)) client->send(text);
  }
  void tell(brigade::ConnectionId id, const Answer& answer) {
    const std::string value(answer.value.view());
    const bool ok = answer.status == Answer::Status::kOk;
    tell(id, ok ? value : std::string(toString(answer.status)) + ": " + value);
  }
  Coroutine sum(brigade::ConnectionId id) {
    long clients = 0;
    for (const Answer& each : co_await messenger().map("clients")) {
      clients += std::atol(std::string(each.value.view()).c_str());
    }
    tell(id, std::to_string(clients));
  }
  Coroutine job(brigade::ConnectionId id, std::string what) {
    tell(id, co_await messenger().consume("job", what, Delivery::kAtMostOnce));
  }
  Coroutine program(brigade::ConnectionId id, std::string text) {
    tell(id, co_await messenger().request(0, "program", text));
  }
  // To a number that all processes share: until nobody else was quicker.
  Coroutine add(brigade::ConnectionId id, long n) {
    auto outcome = SharedState::Outcome::kRefused;
    while (outcome == SharedState::Outcome::kRefused) {
      const SharedState::Entry* const now = state().find("count");
      const long before = now == nullptr ? 0 : std::atol(now->value.c_str());
      const std::string text = std::to_string(before + n);
      SharedState::Terms terms{.condition = SharedState::Condition::kAbsent};
      if (now != nullptr) {
        terms = {SharedState::Condition::kVersion, now->version};
      }
      outcome = (co_await state().trySet("count", text, terms)).outcome;
      if (outcome == SharedState::Outcome::kDone) co_return tell(id, text);
    }
    tell(id, "cannot");
  }

  brigade::ProgramPost* post_ = nullptr;
  std::deque<brigade::Reply> asked_;
};

int main(int argc, char** argv) {
  Cluster cluster;
  brigade::RunConfig config;
  config.programs = {{.name = "upper", .command = {"python3", "-c", kProgram}}};
  config.onProgramMessage = [&](const auto& said, auto& post) {
    cluster.onProgram(said, post);
  };
  return brigade::run(argc, argv, {&cluster}, config);
}
