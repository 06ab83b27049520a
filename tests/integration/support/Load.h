#pragma once

// Load: clients that ask a server of lines for "echo x" until they are told to
// stop, on connections of their own.

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "tests/support/Wire.h"

namespace brigade::test {

class Load {
 public:
  enum class Kind { kKept, kNewEach };

  Load(std::uint16_t port, int clients, Kind kind = Kind::kNewEach) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port, kind] {
        // A kept connection lives for a while, as clients' do.
        constexpr int kRequests = 50;
        while (!stop_) ask(port, kind == Kind::kKept ? kRequests : 1);
      });
    }
  }
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

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
