#pragma once

// MessengerFixture: a running MessengerSubject.cc, whose processes are told by
// lines what to do.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class MessengerFixture : public ::testing::Test {
 protected:
  void start(unsigned stations = 4, std::vector<std::string> environment = {}) {
    environment.push_back("STATIONS=" + std::to_string(stations));
    program.start({}, environment);
  }
  // What the worker process at that index says to a line.
  std::string ask(unsigned index, const std::string& line) {
    Wire wire(portOf(index));
    return wire.ask(line).value_or("(it closed)");
  }
  // The master, through a worker.
  std::string askMaster(const std::string& line, unsigned through = 1) {
    return ask(through, "run 0 " + line);
  }
  std::uint16_t portOf(unsigned index) {
    if (ports_.empty()) {
      const nlohmann::json status = program.status();
      for (const auto& worker : status.at("workers")) {
        const std::string address = worker.at("address");
        ports_.push_back(static_cast<std::uint16_t>(
            std::stoul(address.substr(address.rfind(':') + 1))));
      }
    }
    return ports_.at(index - 1);
  }
  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
  pid_t killWorker(unsigned index, int signal) {
    const pid_t pid = program.workerPid(index);
    ::kill(pid, signal);
    return pid;
  }
  // The process at that index is another one, and is ready.
  bool isReplaced(unsigned index, pid_t old) {
    return eventually([&] {
      const nlohmann::json worker =
          program.status().at("workers").at(index - 1);
      return worker.at("pid") != old && worker.at("pid") != 0 &&
             (worker.at("state") == "ready" || worker.at("state") == "busy");
    });
  }

  Program program{BRIGADE_MESSENGER_SUBJECT};

 private:
  std::vector<std::uint16_t> ports_;
};

}  // namespace brigade::test
