#pragma once

// Load: many connections that each send a batch of messages, wait for all of
// the answer, check it, and send the next batch; or, with Then::kReconnect,
// close after each answer and connect anew. It never sleeps: a server whose
// clients sleep pays for waking them, once for many answers or once for each,
// and the figures would differ from run to run.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "Payload.h"
#include "Target.h"
#include "brigade/Events/FileDescriptor.h"

namespace brigade::bench {

// What follows an answer.
enum class Then : std::uint8_t { kSendAgain, kReconnect };

class Load {
 public:
  // Both outlive the load.
  Load(const Target& target, Payload& payload, Then then);

  // All of these throw std::system_error when a call fails, and
  // std::runtime_error for a wrong answer, for a connection that the server
  // closed, and when nothing at all has come for a while (kPatience).

  // Connects, and exchanges one batch on each connection.
  void open(std::size_t connections);
  // From now on each connection is busy, until finish().
  void go();
  // Handles what has come since the last turn.
  void turn();
  // Returns when all answers are there and nothing is on its way. The
  // connections stay open until the end of the load.
  void finish();

  // Answers so far.
  std::uint64_t batches() const { return batches_; }

 private:
  struct Connection {
    FileDescriptor socket;
    std::uint64_t number = 0;  // of the current batch
    std::size_t sent = 0;      // of the batch's bytes
    std::size_t received = 0;
    bool watchesWrite = false;
  };

  std::string_view batchOf(std::size_t index) const;
  void connect(std::size_t index);
  void watch(int operation, std::size_t index, std::uint32_t events);
  void sendBatch(std::size_t index);
  void sendRest(std::size_t index);
  void receive(std::size_t index);
  void next(std::size_t index);
  void failWhenStalled() const;

  const Target& target_;
  Payload& payload_;
  const Then then_;
  FileDescriptor epoll_;
  std::vector<Connection> connections_;
  std::vector<char> buffer_;
  std::uint64_t connects_ = 0;
  std::uint64_t batches_ = 0;
  std::size_t waiting_ = 0;  // connections whose answer is not complete
  bool busy_ = false;        // an answer is followed by the next batch
  std::chrono::steady_clock::time_point lastEvent_;
};

}  // namespace brigade::bench
