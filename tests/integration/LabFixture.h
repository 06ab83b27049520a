#pragma once

// LabFixture: a running LabSubject.cc, its processes, and what they have noted.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/ClientOf.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class LabFixture : public ::testing::Test {
 protected:
  using Strings = std::vector<std::string>;

  struct Event {
    pid_t pid = 0;
    std::string what;
  };

  void start(unsigned workers, Strings environment = {}, Strings options = {}) {
    options.insert(options.end(), {"--workers", std::to_string(workers)});
    startWith(std::move(options), std::move(environment));
  }
  void startWith(Strings options, Strings environment = {}) {
    environment.push_back("EVENT_LOG=" + eventLog());
    program.start(std::move(options), environment);
  }
  std::string eventLog() const { return program.directory() + "/events.log"; }

  // What all processes have noted so far, in its order.
  std::vector<Event> events() const {
    std::vector<Event> all;
    std::ifstream file(eventLog());
    for (std::string line; std::getline(file, line);) {
      Event event;
      std::istringstream words(line);
      words >> event.pid;
      std::getline(words >> std::ws, event.what);
      all.push_back(event);
    }
    return all;
  }
  Strings eventsOf(pid_t pid) const {
    Strings own;
    for (const Event& event : events()) {
      if (event.pid == pid) own.push_back(event.what);
    }
    return own;
  }
  std::size_t count(const std::string& what) const {
    std::size_t n = 0;
    for (const Event& event : events()) n += event.what.starts_with(what);
    return n;
  }

  // A client of the process at that index.
  std::unique_ptr<Wire> clientOf(unsigned index) const {
    return test::clientOf(program, "id", "index=" + std::to_string(index));
  }
  std::string ask(unsigned index, const std::string& line) const {
    return clientOf(index)->ask(line).value_or("(it closed)");
  }
  // Of whichever process accepts.
  std::string ask(const std::string& line) const {
    return Wire(program.port()).ask(line).value_or("(it closed)");
  }

  Program program{BRIGADE_LAB_SUBJECT};
};

}  // namespace brigade::test
