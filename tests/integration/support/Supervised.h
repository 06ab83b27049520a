#pragma once

// A running SupervisedSubject.cc, and what its tests ask of it.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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
    const std::string wanted = " pid=" + std::to_string(pid) + " ";
    for (int i = 0; i < 500; ++i) {
      auto client = std::make_unique<Wire>(program.port());
      const std::string id = client->ask("id").value_or("");
      if (id.find(wanted) != std::string::npos) return client;
    }
    ADD_FAILURE() << "no connection reached worker " << pid;
    return nullptr;
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

// Clients that ask until they are told to stop, each time on a new connection.
class Asking {
 public:
  Asking(std::uint16_t port, int clients) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port] {
        while (!stop_) {
          Wire client(port);
          const bool ok = client.connected() && client.ask("echo x") == "x";
          ++(ok ? answered_ : failed_);
        }
      });
    }
  }
  ~Asking() { stop(); }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::vector<std::thread> threads_;
};

}  // namespace brigade::test
