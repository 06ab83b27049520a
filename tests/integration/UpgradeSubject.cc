// The program that the tests of upgrades run. Its code is of a version, and may
// be bad in some way: both stand in the last line of its own file, behind what
// the linker has written, "#upgrade VERSION [FAULT]". So one compiled program
// is as many as there are copies of it with different last lines.
//
// A server of lines in WORKERS processes:
//   id          "version=2 index=1 pid=812 gen=3 master=1 image=..."
//   echo TEXT | slow MS (answers then) | exit N
//   set KEY VALUE | get KEY          the shared state
//   once KEY    "ran" or "not"       runOnce()
//   consume MS TEXT                  done by a worker, which takes so long
//   tell TEXT | told                 a letter to the master, and all it has had
//   ask now | ask later              the master's version; "later": once it is
//                                    told "release"
//   spread TEXT | heard              a letter to all workers, and all had here
//
// FAULT: check-exit, check-crash, check-hang, no-start, no-start-2 (of worker
// 2), master-throws, master-throws-5 (an int), adopt-throws, leave-throws (from
// onMasterUpgrade), spoils-config (the file CONFIG, then throws),
// other-address, other-worker, no-brigade, keep-alive (sets tcpKeepAlive: that
// is no fault). From the environment: COUNTER, a command line whose messages
// are appended to the file HEARD, "VERSION DATA" each; ADDRESS; HANDOVER=yes.

#include <brigade/brigade.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/Environment.h"

namespace {

using brigade::Answer;
using brigade::Letter;
using brigade::TcpConnection;
using brigade::test::variable;
using std::chrono::milliseconds;

struct Code {
  std::string version = "1";
  std::string fault;
};

// Of this process: its file may have been replaced, but not what it runs.
Code readCode() {
  std::ifstream file("/proc/self/exe", std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::streamoff>(file.tellg());
  constexpr std::streamoff kEnd = 200;
  file.seekg(size - kEnd);
  const std::string end{std::istreambuf_iterator<char>(file), {}};
  const auto mark = end.rfind("#upgrade ");
  Code code;
  if (mark == std::string::npos) return code;
  std::istringstream(end.substr(mark + 9)) >> code.version >> code.fault;
  return code;
}

class Front : public brigade::Worker {
 public:
  explicit Front(Code code)
      : Worker(variable("ADDRESS").empty() ? "text://127.0.0.1:0"
                                           : variable("ADDRESS")),
        code_(std::move(code)) {
    name = "front";
    handover = !variable("HANDOVER").empty();
    if (code_.fault == "keep-alive") tcpKeepAlive = std::chrono::minutes(1);
    if (code_.fault == "other-address") address = "text://127.0.0.1:1";
  }

  // ---- In the master

  void onMasterStart() override {
    if (code_.fault == "master-throws") throw std::runtime_error("a bad start");
    if (code_.fault == "master-throws-5") throw 5;
    if (code_.fault == "spoils-config") {
      std::ofstream(variable("CONFIG")) << "unknown = 1\n";
      throw std::runtime_error("a bad start");
    }
    messenger().on("tell", [this](const Letter& letter) {
      told_ += std::string(letter.data) + " ";
      if (letter.data != "release") return;
      for (const brigade::Reply& reply : std::exchange(held_, {})) {
        reply.send("version=" + code_.version);
      }
    });
    messenger().answerWith("told", [this](const Letter&) { return told_; });
    messenger().answer(
        "ask", [this](const Letter& letter, const brigade::Reply& reply) {
          held_.push_back(reply);
          if (letter.data == "later") return;
          std::exchange(held_, {}).back().send("version=" + code_.version);
        });
  }
  std::string onMasterUpgrade() override {
    if (code_.fault == "leave-throws") throw 5;
    return told_;
  }
  void onMasterAdopt(std::string_view state) override {
    if (code_.fault == "adopt-throws") throw std::runtime_error("a bad heir");
    told_ = state;
  }

  // ---- In a worker process

  void onWorkerStart() override {
    const bool all = code_.fault == "no-start";
    if (all || (code_.fault == "no-start-2" && index() == 2)) {
      throw std::runtime_error("told to fail");
    }
    messenger().on("spread", [this](const Letter& letter) {
      heard_ += std::string(letter.data) + " ";
    });
    messenger().answer(
        "task", [this](const Letter& letter, const brigade::Reply& reply) {
          std::istringstream words{std::string(letter.data)};
          int delay = 0;
          std::string text;
          words >> delay >> text;
          addTimer(milliseconds(delay), brigade::Repeat::kOnce,
                   [this, reply, text] {
                     reply.send(text + " by " + std::to_string(index()));
                   });
        });
  }

  void onMessage(TcpConnection& tcp, const brigade::Message& message) override {
    const std::string line(message.data());
    const auto space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string rest =
        space == std::string::npos ? "" : line.substr(space + 1);
    if (verb == "id") {
      tcp.send("version=" + code_.version + " index=" +
               std::to_string(index()) + " pid=" + std::to_string(::getpid()) +
               " gen=" + std::to_string(generation()));
    } else if (verb == "echo") {
      tcp.send(rest);
    } else if (verb == "slow") {
      addTimer(milliseconds(std::stoi(rest)), brigade::Repeat::kOnce,
               [this, id = tcp.id()] { answer(id, "slow"); });
      busy_ = true;
    } else if (verb == "exit") {
      ::_exit(std::stoi(rest));
    } else if (verb == "told") {
      forward(tcp, "told", "");
    } else if (verb == "ask") {
      forward(tcp, "ask", rest);
    } else if (verb == "heard") {
      tcp.send(heard_);
    } else {
      state(tcp, verb, rest);
    }
  }

  brigade::Drain onDrain(TcpConnection&) override {
    isDraining_ = busy_;
    return busy_ ? brigade::Drain::kByItself : brigade::Drain::kWhenQuiet;
  }

  // Somebody here waits for an answer that comes to this process.
  std::optional<std::string> onHandover(TcpConnection&) override {
    if (busy_) return std::nullopt;
    return "";
  }

 private:
  void state(TcpConnection& tcp, const std::string& verb,
             const std::string& rest) {
    const auto id = tcp.id();
    if (verb == "set") {
      const auto space = rest.find(' ');
      Worker::state().set(rest.substr(0, space), rest.substr(space + 1), {},
                          [this, id](auto, auto) { answer(id, "set"); });
    } else if (verb == "get") {
      const auto* const entry = Worker::state().find(rest);
      tcp.send(entry == nullptr ? "(none)" : entry->value);
    } else if (verb == "once") {
      messenger().runOnce(
          rest, [this, id] { answer(id, "ran"); },
          brigade::Messenger::Scope::kServer);
      addTimer(milliseconds(300), brigade::Repeat::kOnce,
               [this, id] { answer(id, "not"); });
    } else if (verb == "consume") {
      busy_ = true;
      messenger().consume(
          "task", rest,
          [this, id](const Answer& answered) {
            answer(id, std::string(answered.value.view()));
          },
          brigade::Messenger::Delivery::kAtLeastOnce);
    } else if (verb == "tell") {
      messenger().send(0, "tell", rest);
      tcp.send("told");
    } else if (verb == "spread") {
      messenger().broadcast("spread", rest);
      tcp.send("spread");
    } else {
      tcp.send("?");
    }
  }

  // What is owed keeps the connection over a drain.
  void forward(TcpConnection& tcp, const char* what, const std::string& data) {
    busy_ = true;
    messenger().request(0, what, data,
                        [this, id = tcp.id()](const Answer& answered) {
                          answer(id, answered.status == Answer::Status::kOk
                                         ? std::string(answered.value.view())
                                         : "no answer");
                        });
  }

  void answer(brigade::ConnectionId id, const std::string& text) {
    busy_ = false;
    TcpConnection* const tcp = find(id);
    if (tcp == nullptr) return;
    tcp->send(text);
    if (isDraining_) tcp->close();
  }

  Code code_;
  std::string told_;  // in the master
  std::vector<brigade::Reply> held_;
  std::string heard_;  // in a worker process
  bool busy_ = false;
  bool isDraining_ = false;
};

class Extra : public brigade::Worker {
 public:
  Extra() { name = "extra"; }
};

bool isCheck(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--check") return true;
  }
  return false;
}

void failCheck(const std::string& fault) {
  if (fault == "check-exit") {
    std::fprintf(stderr, "this code is no good\n");
    std::exit(3);
  }
  if (fault == "check-crash") std::abort();
  if (fault == "check-hang") {
    for (;;) ::pause();
  }
  if (fault == "no-brigade") std::exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const Code code = readCode();
  if (isCheck(argc, argv)) failCheck(code.fault);
  Front front(code);
  front.count = 2;
  Extra extra;
  std::vector<brigade::Worker*> workers{&front};
  if (code.fault == "other-worker") workers.push_back(&extra);
  brigade::RunConfig config;
  config.name = "upgraded";
  if (!variable("COUNTER").empty()) {
    brigade::Program counter;
    counter.name = "counter";
    std::istringstream words(variable("COUNTER"));
    for (std::string word; words >> word;) counter.command.push_back(word);
    config.programs.push_back(counter);
    config.onProgramMessage = [&](const brigade::ProgramMessage& message,
                                  brigade::ProgramPost&) {
      std::ofstream(variable("HEARD"), std::ios::app)
          << code.version << " " << message.data << std::endl;
    };
  }
  return brigade::run(argc, argv, workers, config);
}
