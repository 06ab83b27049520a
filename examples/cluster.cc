// Four processes that work as one, and a program beside them. A line is a
// command; `tell` reaches the clients of all processes:
//   ./cluster start
//   printf 'add 5\nadd 2\nsum\njob x\nprogram ping\n' | nc -w 1 127.0.0.1 5682
//   nc 127.0.0.1 5682     in two windows; then write: tell hello

#include <brigade/brigade.h>

#include <cstdlib>
#include <deque>
#include <string>

using brigade::Answer;
using brigade::SharedState;

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
    const auto say = [this, id = connection.id()](const Answer& answer) {
      const std::string_view value = answer.value.view();
      tell(id, answer.status == Answer::Status::kOk
                   ? std::string(value)
                   : std::string(toString(answer.status)) + ": " +
                         std::string(value));
    };
    if (command == "tell") {
      messenger().broadcast("tell", text);
    } else if (command == "add") {
      add(connection.id(), std::atol(text.c_str()));
    } else if (command == "sum") {
      messenger().map("clients", {}, [this, id = connection.id()](auto& all) {
        long sum = 0;
        for (const Answer& each : all) {
          sum += std::atol(std::string(each.value.view()).c_str());
        }
        tell(id, std::to_string(sum));
      });
    } else if (command == "job") {
      messenger().consume("job", text, say);
    } else if (command == "program") {
      messenger().request(0, "program", text, say);
    }
  }

 private:
  // The client may have left meanwhile.
  void tell(brigade::ConnectionId id, std::string_view text) {
    if (auto* const client = find(id)) client->send(text);
  }
  // To a number that all processes share: until nobody else was quicker.
  void add(brigade::ConnectionId id, long n) {
    const SharedState::Entry* const now = state().find("count");
    const long before = now == nullptr ? 0 : std::atol(now->value.c_str());
    const std::string sum = std::to_string(before + n);
    SharedState::Terms terms{.condition = SharedState::Condition::kAbsent};
    if (now != nullptr) {
      terms = {SharedState::Condition::kVersion, now->version};
    }
    state().set("count", sum, terms, [this, id, n, sum](auto outcome, auto) {
      if (outcome == SharedState::Outcome::kRefused) return add(id, n);
      tell(id, outcome == SharedState::Outcome::kDone ? sum : "cannot");
    });
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
