#pragma once

// Payload: what the client sends, and what must come back. Messages leave in
// batches of `depth`. There are a few different batches, so that an answer
// that belongs to another connection or another batch is noticed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brigade::bench {

enum class Protocol : std::uint8_t {
  kRaw,
  kText,             // lines
  kWebSocket,        // text messages
  kWebSocketBinary,  // binary ones
};

class Payload {
 public:
  // Echoes of messages of `size` bytes (of a line with its end, of a WebSocket
  // message without its frame). `size` >= 2.
  Payload(Protocol protocol, std::size_t size, std::size_t depth);
  // `request`, answered by `answer` each time; only a Date field may differ.
  Payload(std::string_view request, std::string_view answer, std::size_t depth);

  // The request that a new connection begins with, answered by a head; empty:
  // none.
  std::string_view greeting() const { return greeting_; }

  // The batch that a connection sends at its `number`th turn.
  std::string_view batch(std::size_t connection, std::uint64_t number) const {
    return batches_[(connection + number) % batches_.size()].sent;
  }
  std::size_t answerSize() const { return batches_.front().answer.size(); }

  // Throws std::runtime_error unless `got` is what stands at `offset` of the
  // answer to that batch.
  void verify(std::size_t connection, std::uint64_t number, std::size_t offset,
              std::string_view got);

 private:
  struct Batch {
    std::string sent;
    std::string answer;
  };

  bool acceptDates(Batch& batch, std::size_t offset, std::string_view got);

  std::string greeting_;
  std::vector<Batch> batches_;
  std::size_t period_ = 0;  // of one answer, when it has a Date
  std::size_t date_ = 0;    // where in it
};

}  // namespace brigade::bench
