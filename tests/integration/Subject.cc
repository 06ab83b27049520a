// The program that the integration tests run: a server of lines that does what
// it is told, well or badly.
//
//   pid | index | echo TEXT | throw | exit N | abort | spin MS | slow MS |
//   big BYTES | fds | orphan | retire | print TEXT | complain TEXT | log TEXT
//
// From the environment: ACCEPT_MODE (reusePort, shared, locked), SERVER_USER,
// DIE_AT_START and THROW_AT_START (an index, or "all"), MAX_CONNECTIONS,
// FAIL_IF_EXISTS (a file), START_ORDERS (a path: worker N waits at its start
// while PATH-hold-N.log exists, and throws if PATH-throw-N.log does, which it
// removes), THROW_IN_MASTER=yes, READY_TIMEOUT (ms), SECOND (address of a
// second Worker), RELOADABLE=no, and EVENT_LOG, a file to which every callback
// appends a line.

#include <brigade/brigade.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::TcpConnection;
using brigade::test::note;
using brigade::test::variable;

brigade::AcceptMode acceptModeOf(const std::string& name) {
  if (name == "shared") return brigade::AcceptMode::kShared;
  if (name == "locked") return brigade::AcceptMode::kLocked;
  if (name == "sticky") return brigade::AcceptMode::kSticky;
  return brigade::AcceptMode::kReusePort;
}

// What a connection still has to be sent.
struct Debt {
  std::size_t bytes = 0;
};

class Subject : public brigade::Worker {
 public:
  explicit Subject(const std::string& where = "text://127.0.0.1:0")
      : Worker(where) {
    name = "subject";
    acceptMode = acceptModeOf(variable("ACCEPT_MODE"));
    user = variable("SERVER_USER");
    reloadable = variable("RELOADABLE") != "no";
    const std::string most = variable("MAX_CONNECTIONS");
    if (!most.empty()) maxConnections = std::stoul(most);
  }

  void onWorkerStart() override {
    note("onWorkerStart " + std::to_string(index()));
    const std::string longest = variable("MAX_PACKAGE_SIZE");
    if (!longest.empty()) maxPackageSize = std::stoul(longest);
    if (isMeant("DIE_AT_START")) ::_exit(3);
    if (std::filesystem::exists(variable("FAIL_IF_EXISTS"))) {
      throw std::runtime_error("poisoned");
    }
    obey(variable("START_ORDERS"));
    if (isMeant("THROW_AT_START")) throw std::runtime_error("no luck today");
  }
  void onWorkerStop() override { note("onWorkerStop"); }
  void onWorkerReload() override { note("onWorkerReload"); }
  void onWorkerExit(unsigned which, pid_t pid,
                    const brigade::ExitStatus& status) override {
    note("onWorkerExit " + std::to_string(which) + " " + std::to_string(pid) +
         " " + status.toString());
    throwInMaster();
  }
  void onMasterReload() override {
    note("onMasterReload");
    throwInMaster();
  }
  void onMasterStop() override {
    note("onMasterStop");
    throwInMaster();
  }
  void onConnect(TcpConnection&) override { note("onConnect"); }
  void onClose(TcpConnection&) override { note("onClose"); }

  void onMessage(TcpConnection& connection,
                 const brigade::Message& message) override {
    const std::string_view line = message.data();
    const auto space = line.find(' ');
    const std::string_view verb = line.substr(0, space);
    const std::string argument(
        space == std::string_view::npos ? "" : line.substr(space + 1));
    if (verb == "echo") {
      connection.send(argument);
    } else if (say(verb, argument)) {
      connection.send("said");
    } else if (!answer(connection, verb) && !misbehave(verb, argument)) {
      work(connection, verb, argument);
    }
  }

  void onBufferFull(TcpConnection&) override { note("onBufferFull"); }
  void onBufferDrain(TcpConnection& connection) override {
    note("onBufferDrain");
    pay(connection);
  }

 private:
  // What is no std::exception, as a program may throw it.
  static void throwInMaster() {
    if (variable("THROW_IN_MASTER") == "yes") throw 42;
  }

  void obey(const std::string& path) const {
    if (path.empty()) return;
    const std::string who = std::to_string(index()) + ".log";
    while (std::filesystem::exists(path + "-hold-" + who)) {
      ::poll(nullptr, 0, 5);
    }
    if (std::filesystem::remove(path + "-throw-" + who)) {
      throw std::runtime_error("ordered to throw");
    }
  }

  bool isMeant(const char* what) const {
    const std::string who = variable(what);
    return who == "all" || who == std::to_string(index());
  }

  bool answer(TcpConnection& connection, std::string_view verb) {
    if (verb == "pid") {
      connection.send(std::to_string(::getpid()));
    } else if (verb == "index") {
      connection.send(std::to_string(index()));
    } else if (verb == "uid") {
      connection.send(std::to_string(::getuid()));
    } else if (verb == "orphan") {
      leaveAnOrphan();
      connection.send("done");
    } else if (verb == "retire") {
      retire();
      connection.send("done");
    } else if (verb == "fds") {
      connection.send(descriptors());
    } else {
      return false;
    }
    return true;
  }

  // A process whose parent has ended, and which ends after it.
  static void leaveAnOrphan() {
    const pid_t parent = ::fork();
    if (parent == 0) {
      const pid_t self = ::getpid();
      if (::fork() == 0) {
        while (::getppid() == self) ::sched_yield();
      }
      ::_exit(0);
    }
    ::waitpid(parent, nullptr, 0);
  }

  // On stdout, on stderr, in the log.
  static bool say(std::string_view verb, const std::string& text) {
    if (verb == "print") {
      std::printf("%s\n", text.c_str());
    } else if (verb == "complain") {
      std::fprintf(stderr, "%s\n", text.c_str());
    } else if (verb == "log") {
      brigade::log(brigade::LogLevel::kInfo, text);
    } else {
      return false;
    }
    return true;
  }

  bool misbehave(std::string_view verb, const std::string& argument) {
    if (verb == "throw") throw std::runtime_error("asked to throw");
    if (verb == "exit") ::_exit(std::stoi(argument));
    if (verb == "abort") std::abort();
    if (verb != "spin") return false;
    const auto end =
        brigade::Clock::now() + std::chrono::milliseconds(std::stoul(argument));
    while (brigade::Clock::now() < end) {
    }
    return true;
  }

  void work(TcpConnection& connection, std::string_view verb,
            const std::string& argument) {
    if (verb == "slow") {
      const auto id = connection.id();
      addTimer(std::chrono::milliseconds(std::stoul(argument)),
               brigade::Repeat::kOnce, [this, id] {
                 if (TcpConnection* c = find(id)) c->send("slow done");
               });
    } else if (verb == "big") {
      connection.context<Debt>().bytes += std::stoul(argument);
      pay(connection);
    } else {
      connection.send("what?");
    }
  }

  // Sends what is owed for as long as it is taken.
  static void pay(TcpConnection& connection) {
    static const std::string piece(64 * 1024, 'x');
    std::size_t& owed = connection.context<Debt>().bytes;
    while (owed > 0 && !connection.bufferFull()) {
      const std::string_view part(piece.data(), std::min(owed, piece.size()));
      if (connection.sendRaw(part) == brigade::SendResult::kDropped) break;
      owed -= part.size();
    }
  }

  static std::string descriptors() {
    std::string all;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      all += std::filesystem::read_symlink(entry.path(), error).string() + ",";
    }
    return all;
  }
};

}  // namespace

int main(int argc, char** argv) {
  Subject subject;
  Subject second(variable("SECOND"));
  second.name = "second";
  std::vector<brigade::Worker*> workers{&subject};
  if (!second.address.empty()) workers.push_back(&second);
  brigade::RunConfig config;
  config.version = "1.2.3";
  const std::string patience = variable("READY_TIMEOUT");
  if (!patience.empty()) {
    config.readyTimeout = std::chrono::milliseconds(std::stoul(patience));
  }
  return brigade::run(argc, argv, workers, config);
}
