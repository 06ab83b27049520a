#pragma once

// ConnectionCounters: what one worker process counts. Lives in memory shared
// with the master; one writer, so an add is a load and a store.

#include <atomic>
#include <cstdint>

namespace brigade {

class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(get() + n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct ConnectionCounters {
  Counter accepted;
  Counter open;            // now
  Counter messages;        // received
  Counter sendFailures;    // messages dropped, or queued for a peer that left
  Counter exceptions;      // that left a callback
  Counter protocolErrors;  // malformed or too long
  Counter bytesRead;
  Counter bytesWritten;
};

}  // namespace brigade
