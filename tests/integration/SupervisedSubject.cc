// The program that the tests of supervision run: a server of lines, whose
// processes come to every kind of end.
//
//   id | echo TEXT | slow MS | throw | throwLater MS | segv | exit N | spin MS
//   | grow BYTES | reload | fork | throwSleep MS | throwAnswer
//
// `fork` answers the pid of a process that sleeps for ever, `id`
// "index=2 pid=812 gen=1 prev=0 count=4 master=800".
//
// From the environment: ACCEPT_MODE (shared, else reusePort), MAX_REQUESTS,
// MAX_ACCEPTS, MAX_MEMORY, HANG_TIMEOUT (ms), READY_TIMEOUT (ms),
// ON_EXCEPTION (drain, abort, throw), BACKOFF ("FIRST LONGEST GIVEUP"),
// FAIL_IF (a path: worker N fails to start while PATH-N.log or PATH-all.log
// exists: it throws or, when that file holds "exit", ends with 3), HOLD_IF (as
// FAIL_IF: it waits), COUNT_FILE (holds what onMasterReload makes `count`),
// CHANGE=yes (onMasterReload changes address, acceptMode and maxConnections),
// SECOND=yes (a background Worker of two processes behind it) and EVENT_LOG, a
// file to which callbacks append lines. fork(2) fails as ForkFailure.cc says.

#include <brigade/brigade.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::AfterException;
using brigade::TcpConnection;
using brigade::test::note;
using brigade::test::number;
using brigade::test::variable;
using std::chrono::milliseconds;

// The file that tells a worker what to do at its start; empty: none does.
std::string orderFor(const char* name, unsigned index) {
  const std::string path = variable(name);
  if (path.empty()) return {};
  for (const std::string& who : {std::to_string(index), std::string("all")}) {
    const std::string file = path + "-" + who + ".log";
    if (std::filesystem::exists(file)) return file;
  }
  return {};
}

class Supervised : public brigade::Worker {
 public:
  explicit Supervised(const std::string& where) : Worker(where) {
    if (variable("ACCEPT_MODE") == "shared") {
      acceptMode = brigade::AcceptMode::kShared;
    }
    if (variable("ACCEPT_MODE") == "sticky") {
      acceptMode = brigade::AcceptMode::kSticky;
    }
    maxRequests = number("MAX_REQUESTS");
    maxAccepts = number("MAX_ACCEPTS");
    maxMemory = number("MAX_MEMORY");
    hangTimeout = milliseconds(number("HANG_TIMEOUT"));
  }

  void onWorkerStart() override {
    note("onWorkerStart " + std::to_string(index()));
    while (!orderFor("HOLD_IF", index()).empty()) ::poll(nullptr, 0, 5);
    const std::string order = orderFor("FAIL_IF", index());
    if (order.empty()) return;
    std::string how;
    std::ifstream(order) >> how;
    if (how == "exit") ::_exit(3);
    throw std::runtime_error("told to fail");
  }
  void onWorkerStop() override { note("onWorkerStop"); }
  void onWorkerReload() override { note("onWorkerReload"); }
  void onConnect(TcpConnection&) override { note("onConnect"); }
  void onWorkerExit(unsigned which, pid_t pid,
                    const brigade::ExitStatus& status) override {
    note("onWorkerExit " + std::to_string(which) + " " + std::to_string(pid) +
         " " + status.toString());
  }
  void onMasterReload() override {
    const std::string path = variable("COUNT_FILE");
    if (!path.empty() && !address.empty()) std::ifstream(path) >> count;
    if (variable("CHANGE") == "yes") {
      address = "text://127.0.0.1:1";
      acceptMode = brigade::AcceptMode::kLocked;
      maxConnections = 1;
    }
    note("onMasterReload " + std::to_string(count));
  }
  AfterException onUncaughtException(
      std::string_view where, const std::exception_ptr& exception) override {
    note("onUncaughtException " + std::string(where));
    const std::string what = variable("ON_EXCEPTION");
    if (what == "drain") return AfterException::kDrain;
    if (what == "abort") return AfterException::kAbort;
    if (what == "throw") std::rethrow_exception(exception);
    return AfterException::kContinue;
  }

  void onMessage(TcpConnection& connection,
                 const brigade::Message& message) override {
    std::istringstream words{std::string(message.data())};
    std::string verb;
    words >> verb;
    if (verb == "echo") {
      connection.send(message.data().substr(5));
    } else if (verb == "id") {
      connection.send(id());
    } else if (verb == "reload") {
      requestReload();
      connection.send("asked");
    } else if (verb == "fork") {
      const pid_t child = ::fork();
      // It holds what it has inherited, until somebody ends it.
      while (child == 0) ::pause();
      connection.send(std::to_string(child));
    } else {
      std::uint64_t argument = 0;
      words >> argument;
      work(connection, verb, argument);
    }
  }

 private:
  std::string id() const {
    return "index=" + std::to_string(index()) +
           " pid=" + std::to_string(::getpid()) +
           " gen=" + std::to_string(generation()) +
           " prev=" + std::to_string(previousPid()) +
           " count=" + std::to_string(processCount()) +
           " master=" + std::to_string(masterPid());
  }

  void work(TcpConnection& connection, const std::string& verb,
            std::uint64_t argument) {
    if (verb == "throw") throw std::runtime_error("asked to throw");
    if (verb == "segv") ::raise(SIGSEGV);
    if (verb == "exit") ::_exit(static_cast<int>(argument));
    if (verb == "spin") {
      const auto end = brigade::Clock::now() + milliseconds(argument);
      while (brigade::Clock::now() < end) {
      }
    } else if (verb == "grow") {
      ballast_.append(argument, 'x');
      connection.send("grown");
    } else if (verb == "throwLater") {
      addTimer(milliseconds(argument), brigade::Repeat::kOnce,
               [] { throw std::runtime_error("a timer's"); });
      connection.send("soon");
    } else if (verb == "throwSleep") {
      throwBehindSleep(milliseconds(argument)).start();
    } else if (verb == "throwAnswer") {
      throwBehindAnswer().start();
    } else if (verb == "slow") {
      addTimer(milliseconds(argument), brigade::Repeat::kOnce,
               [this, id = connection.id()] {
                 if (TcpConnection* c = find(id)) c->send("slow done");
               });
    }
  }

  brigade::Coroutine throwBehindSleep(milliseconds time) {
    co_await sleepFor(time);
    throw std::runtime_error("a coroutine's");
  }
  brigade::Coroutine throwBehindAnswer() {
    co_await messenger().request(0, "anything");
    throw std::runtime_error("a coroutine's");
  }

  std::string ballast_;
};

}  // namespace

int main(int argc, char** argv) {
  Supervised server("text://127.0.0.1:0");
  server.name = "server";
  Supervised second("");
  second.name = "second";
  second.count = 2;
  second.hangTimeout = milliseconds(0);
  std::vector<brigade::Worker*> workers{&server};
  if (variable("SECOND") == "yes") workers.push_back(&second);
  brigade::RunConfig config;
  if (number("READY_TIMEOUT") > 0) {
    config.readyTimeout = milliseconds(number("READY_TIMEOUT"));
  }
  std::istringstream backoff(variable("BACKOFF"));
  std::uint64_t first = 0;
  std::uint64_t longest = 0;
  if (backoff >> first >> longest >> config.backoff.giveUpAfter) {
    config.backoff.first = milliseconds(first);
    config.backoff.longest = milliseconds(longest);
  }
  return brigade::run(argc, argv, workers, config);
}
