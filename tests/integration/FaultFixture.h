#pragma once

// FaultFixture: a running Subject.cc, and clients that ask it all the time.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class FaultFixture : public ::testing::Test {
 protected:
  Program program{BRIGADE_SUBJECT};

  // A client of the worker process with this pid.
  std::unique_ptr<Wire> clientOf(pid_t pid) {
    for (int i = 0; i < 500; ++i) {
      auto client = std::make_unique<Wire>(program.port());
      if (client->ask("pid") == std::to_string(pid)) return client;
    }
    ADD_FAILURE() << "no connection reached worker " << pid;
    return nullptr;
  }

  std::size_t logLines(const std::string& text) const {
    const std::string log = program.log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = log.find(text, at)) != std::string::npos;
         at += text.size()) {
      ++count;
    }
    return count;
  }

  std::uint64_t total(const char* figure) const {
    return program.status().at("totals").at(figure).get<std::uint64_t>();
  }
};

// Clients that ask until they are told to stop, on connections of their own.
class Load {
 public:
  enum class Kind { kKept, kNewEach };

  Load(std::uint16_t port, int clients, Kind kind) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port, kind] {
        // A kept connection lives for a while, as clients' do.
        constexpr int kRequests = 50;
        while (!stop_) ask(port, kind == Kind::kKept ? kRequests : 1);
      });
    }
  }
  ~Load() { stop(); }

  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t failed() const { return failed_; }

 private:
  void ask(std::uint16_t port, int requests) {
    Wire client(port);
    for (int i = 0; i < requests && !stop_; ++i) {
      if (client.connected() && client.ask("echo x") == "x") {
        ++answered_;
      } else {
        ++failed_;
        return;
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::vector<std::thread> threads_;
};

}  // namespace brigade::test
