#pragma once

// A running SupervisedSubject.cc, and what its tests ask of it.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/support/Load.h"
#include "tests/support/ClientOf.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class SupervisedTest : public ::testing::Test {
 protected:
  using Strings = std::vector<std::string>;

  Program program{BRIGADE_SUPERVISED_SUBJECT};
  const std::string events = program.directory() + "/events.log";

  void start(unsigned workers, Strings environment = {},
             const Strings& options = {}) {
    Strings words{"--workers", std::to_string(workers)};
    words.insert(words.end(), options.begin(), options.end());
    environment.push_back("EVENT_LOG=" + events);
    program.start(words, environment);
  }

  // A file that a worker process finds at its start (FAIL_IF, HOLD_IF).
  std::string orders() const { return program.directory() + "/order"; }
  void order(const std::string& who, const std::string& how = "throw") const {
    std::ofstream(orders() + "-" + who + ".log") << how;
  }
  void countermand(const std::string& who) const {
    std::filesystem::remove(orders() + "-" + who + ".log");
  }

  // A client of the process with this pid.
  std::unique_ptr<Wire> clientOf(pid_t pid) const {
    return test::clientOf(program, "id", "pid=" + std::to_string(pid));
  }

  // While one of them does not, the others and the master do.
  void expectOthersServe() {
    for (int i = 0; i < 20; ++i) {
      ASSERT_EQ(Wire(program.port()).ask("echo others"), "others") << i;
    }
    const auto asked = std::chrono::steady_clock::now();
    EXPECT_FALSE(program.status().is_null());
    RecordProperty("statusMilliseconds",
                   static_cast<int>((std::chrono::steady_clock::now() - asked) /
                                    std::chrono::milliseconds(1)));
  }

  // By index, not by place: indexes may have gaps.
  nlohmann::json worker(unsigned index) const {
    const auto status = program.status();
    if (status.is_null()) return nullptr;
    for (const auto& each : status.at("workers")) {
      if (each.at("index") == index) return each;
    }
    return nullptr;
  }
  std::string stateOf(unsigned index) const {
    const auto found = worker(index);
    return found.is_null() ? "none" : found.at("state").get<std::string>();
  }
  pid_t pidOf(unsigned index) const {
    const auto found = worker(index);
    if (found.is_null() || found.at("pid").is_null()) return 0;
    return found.at("pid").get<pid_t>();
  }
  bool becomes(unsigned index, const std::string& state) const {
    return eventually([&] { return stateOf(index) == state; });
  }
  std::string programState() const {
    const auto status = program.status();
    return status.is_null() ? "none" : status.at("state").get<std::string>();
  }

  bool logs(const std::string& text) const {
    return eventually(
        [&] { return program.log().find(text) != std::string::npos; });
  }
  // Events that contain the text.
  std::size_t countOf(const std::string& text) const {
    std::ifstream file(events);
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.find(text) != std::string::npos) ++count;
    }
    return count;
  }
  std::string told() const {
    std::ostringstream text;
    text << std::ifstream(events).rdbuf();
    return text.str();
  }
};

}  // namespace brigade::test
