// The program that the tests of the process model's small promises run, and
// those of its configuration file. One line is one order:
//
//   id | echo TEXT | app KEY | set KEY VALUE | get KEY | entries
//   timer NAME MS (notes NAME then) | own (a pipe, an epoll and a child of the
//   program's own) | file (the name of the one that the master opened)
//   count EVENT (how many workers a broadcast reaches, and answer a map)
//
// From the environment: EVENT_LOG, START_COUNT (set in onMasterStart),
// FAIL_IN_MASTER (yes), SLOW_START (milliseconds that onWorkerStart takes).

#include <brigade/brigade.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::Message;
using brigade::TcpConnection;
using brigade::test::note;
using brigade::test::variable;

// What a program does with descriptors and children that brigade knows nothing
// of.
std::string useWhatIsOwn() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  std::string said = "fine";
  if (::epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &wanted) != 0)
    said = "no epoll";
  if (std::system("exit 7") != 7 << 8) said = "no system(3)";
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(::write(ends[1], "x", 1) == 1 ? 5 : 6);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5) {
    said = "its child was not its own";
  }
  epoll_event event{};
  if (::epoll_wait(poll, &event, 1, 0) != 1) said = "no event";
  ::close(ends[0]);
  ::close(ends[1]);
  ::close(poll);
  return said;
}

class Lab : public brigade::Worker {
 public:
  Lab() : Worker("text://127.0.0.1:0") { name = "lab"; }

  void onMasterStart() override {
    note("onMasterStart");
    if (variable("FAIL_IN_MASTER") == "yes") {
      throw std::runtime_error("no luck in the master");
    }
    const std::string wanted = variable("START_COUNT");
    if (!wanted.empty()) count = static_cast<unsigned>(std::stoul(wanted));
    entries_ = {{"seed", "of the master"}, {"two", "2"}, {"three", "3"}};
    opened_ = ::open("/dev/null", O_RDONLY);
    messenger().on("tell", [](const brigade::Letter& letter) {
      note("heard " + std::to_string(letter.from.index) + " " +
           std::string(letter.data));
    });
    messenger().answerWith("get", [this](const brigade::Letter& letter) {
      const auto found = entries_.find(std::string(letter.data));
      return found == entries_.end() ? "(none)" : found->second;
    });
  }
  void onWorkerStart() override {
    note("onWorkerStart begins " + std::to_string(index()));
    const std::string slow = variable("SLOW_START");
    if (!slow.empty()) ::poll(nullptr, 0, std::stoi(slow));
    messenger().answerWith("here", [](const brigade::Letter&) {
      return std::to_string(::getpid());
    });
    note("onWorkerStart ends " + std::to_string(index()));
  }
  void onWorkerStop() override { note("onWorkerStop"); }
  void onConnect(TcpConnection& connection) override {
    note("onConnect " + connection.remoteAddress());
  }
  void onClose(TcpConnection&) override { note("onClose"); }

  void onMessage(TcpConnection& connection, const Message& message) override {
    note("onMessage " + std::string(message.data()));
    const std::string line(message.data());
    const auto space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string rest =
        space == std::string::npos ? "" : line.substr(space + 1);
    if (verb == "count" || verb == "master") {
      ask(connection, verb, rest);
    } else {
      connection.send(answer(verb, rest));
    }
  }

 private:
  std::string answer(const std::string& verb, const std::string& rest) {
    if (verb == "id") {
      return "index=" + std::to_string(index()) +
             " pid=" + std::to_string(::getpid());
    }
    if (verb == "echo") return rest;
    if (verb == "app") {
      return std::string(configured(rest).value_or("(none)"));
    }
    if (verb == "set") {
      const auto space = rest.find(' ');
      entries_[rest.substr(0, space)] = rest.substr(space + 1);
      return "set";
    }
    if (verb == "get") {
      const auto found = entries_.find(rest);
      return found == entries_.end() ? "(none)" : found->second;
    }
    if (verb == "entries") return std::to_string(entries_.size());
    if (verb == "own") return useWhatIsOwn();
    if (verb == "file") {
      char target[64] = "(none)";
      const std::string link = "/proc/self/fd/" + std::to_string(opened_);
      const auto size = ::readlink(link.c_str(), target, sizeof target);
      return {target, size < 0 ? 6 : static_cast<std::size_t>(size)};
    }
    if (verb == "timer") {
      const auto space = rest.find(' ');
      addTimer(std::chrono::milliseconds(std::stol(rest.substr(space + 1))),
               brigade::Repeat::kOnce,
               [what = rest.substr(0, space)] { note("timer " + what); });
      return "set";
    }
    if (verb == "tell") {
      const auto result = messenger().send(0, "tell", rest);
      return result == brigade::Messenger::Result::kSent ? "sent" : "not sent";
    }
    return "what?";
  }

  void ask(TcpConnection& connection, const std::string& verb,
           const std::string& rest) {
    const auto reply = [this, id = connection.id()](const std::string& text) {
      if (TcpConnection* const there = find(id)) there->send(text);
    };
    if (verb == "master") {
      messenger().request(0, "get", rest,
                          [reply](const brigade::Answer& answer) {
                            reply(std::string(answer.value.view()));
                          });
      return;
    }
    const std::size_t reached = messenger().broadcast("nothing", rest);
    messenger().map(
        "here", "", [reply, reached](const std::vector<brigade::Answer>& all) {
          reply(std::to_string(reached) + " " + std::to_string(all.size()));
        });
  }

  std::map<std::string, std::string> entries_;
  int opened_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  Lab lab;
  return brigade::run(argc, argv, {&lab});
}
