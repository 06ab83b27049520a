// A server of lines ("echo TEXT", "pid", "die") with programs under it, as
// $PROGRAMS says: a file of JSON, an array of Program's settings by their
// names. $EVENTS: a file to which the master appends a line for each message
// of a program: "NAME PID EVENT DATA". It answers
//   hi DATA      with yo and the same DATA
//   fill         with as much as is taken, and notes the results
//   tell NAME    by sending `told` to NAME, and notes the result
//   throw        by throwing
// $MODULES: names of Workers without an address, separated by commas:
//   hello    its loop returns after 50 ms     haha    the same, once
//   retiree  once; retires after 50 ms        unlucky once; exits with 3 twice
//   listener has an address, and is to run once
// $NOFILE, $CORE: limits of the worker processes. fork(2) fails as
// ForkFailure.cc says.

#include <brigade/brigade.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/Environment.h"
#include "tests/support/EventLog.h"

namespace {

using brigade::test::variable;
using std::chrono::milliseconds;

void note(const std::string& line) {
  brigade::test::noteIn(variable("EVENTS"), line);
}

class Lines : public brigade::Worker {
 public:
  Lines() : Worker("text://127.0.0.1:0") { name = "lines"; }

  void onMessage(brigade::TcpConnection& connection,
                 const brigade::Message& line) override {
    if (line.data() == "die") ::_exit(1);
    connection.send(line.data() == "pid" ? std::to_string(::getpid())
                                         : std::string(line.data()));
  }
};

class Module : public brigade::Worker {
 public:
  explicit Module(const std::string& which) {
    name = which;
    if (which != "hello") restart = brigade::RestartPolicy::kOnce;
    if (which == "listener") address = "text://127.0.0.1:0";
  }

  void onWorkerStart() override {
    note(name + " start");
    if (name == "unlucky" && timesRun() <= 2) ::_exit(3);
    addTimer(milliseconds(50), brigade::Repeat::kOnce, [this] {
      if (name == "retiree") {
        retire();
      } else {
        loop().stop();
      }
    });
  }
  void onWorkerStop() override { note(name + " cleanup"); }

 private:
  int timesRun() const {
    std::ifstream file(variable("EVENTS"));
    int times = 0;
    for (std::string line; std::getline(file, line);) {
      if (line == name + " start") ++times;
    }
    return times;
  }
};

std::string toString(brigade::ProgramPost::Result result) {
  using Result = brigade::ProgramPost::Result;
  switch (result) {
    case Result::kSent:
      return "sent";
    case Result::kQueued:
      return "queued";
    case Result::kFull:
      return "full";
    case Result::kGone:
      return "gone";
  }
  return "?";
}

void fill(std::string_view program, brigade::ProgramPost& post) {
  const std::string data(brigade::ProgramPost::kMaxData, 'x');
  std::string before;
  for (int i = 0; i < 1000 && before != "full"; ++i) {
    const std::string result = toString(post.send(program, "data", data));
    if (result != before) note("fill " + result);
    before = result;
  }
}

void onMessage(const brigade::ProgramMessage& message,
               brigade::ProgramPost& post) {
  if (message.event != "drip") {
    note(std::string(message.program) + " " + std::to_string(message.pid) +
         " " + std::string(message.event) + " " + std::string(message.data));
  }
  if (message.event == "hi") {
    post.send(message.program, "yo", message.data);
  } else if (message.event == "fill") {
    fill(message.program, post);
  } else if (message.event == "tell") {
    note("told " + toString(post.send(message.data, "told", "you")));
  } else if (message.event == "throw") {
    throw std::runtime_error("asked to throw");
  }
}

brigade::ResourceLimit limitOf(const std::string& name,
                               const std::string& value) {
  return {name == "nofile" ? brigade::Resource::kOpenFiles
                           : brigade::Resource::kCoreSize,
          value == "unlimited" ? brigade::ResourceLimit::kUnlimited
                               : std::stoull(value)};
}

brigade::Program programOf(const nlohmann::json& text) {
  brigade::Program program;
  program.name = text.value("name", "");
  program.command = text.value("command", std::vector<std::string>());
  program.user = text.value("user", "");
  program.group = text.value("group", "");
  program.directory = text.value("directory", "");
  program.environment = text.value("environment", std::vector<std::string>());
  program.logFile = text.value("logFile", "");
  program.reloadable = text.value("reloadable", false);
  if (text.value("once", false)) {
    program.restart = brigade::RestartPolicy::kOnce;
  }
  if (text.value("endIfBad", false)) {
    program.onBadMessage = brigade::OnBadMessage::kEndProgram;
  }
  if (text.contains("nofile")) {
    program.limits.push_back(limitOf("nofile", text.at("nofile")));
  }
  if (text.contains("core")) {
    program.limits.push_back(limitOf("core", text.at("core")));
  }
  if (text.contains("stopTimeout")) {
    program.stopTimeout = milliseconds(text.at("stopTimeout").get<int>());
  }
  program.backoff.first = milliseconds(text.value("firstBackoff", 100));
  // What dies in a test dies young, however slow the machine is.
  program.backoff.stable = std::chrono::hours(1);
  return program;
}

}  // namespace

int main(int argc, char** argv) {
  Lines lines;
  std::vector<brigade::Worker*> workers{&lines};
  std::deque<Module> modules;
  std::string names = variable("MODULES");
  while (!names.empty()) {
    const auto comma = names.find(',');
    workers.push_back(&modules.emplace_back(names.substr(0, comma)));
    names = comma == std::string::npos ? "" : names.substr(comma + 1);
  }
  brigade::RunConfig config;
  config.onProgramMessage = onMessage;
  for (const char* name : {"NOFILE", "CORE"}) {
    const std::string value = variable(name);
    if (value.empty()) continue;
    config.limits.push_back(
        limitOf(name == std::string("NOFILE") ? "nofile" : "core", value));
  }
  const std::string file = variable("PROGRAMS");
  if (!file.empty()) {
    for (const auto& each : nlohmann::json::parse(std::ifstream(file))) {
      config.programs.push_back(programOf(each));
    }
  }
  return brigade::run(argc, argv, workers, config);
}
