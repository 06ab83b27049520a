#pragma once

// Payload: what the client sends, and so what must come back. Messages leave
// in batches of `depth`. There are a few different batches, so that an answer
// that belongs to another connection or another batch is noticed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brigade::bench {

enum class Protocol : std::uint8_t { kRaw, kText };

class Payload {
 public:
  // A text message of `size` bytes is a line with its end. `size` >= 2.
  Payload(Protocol protocol, std::size_t size, std::size_t depth);

  // The batch that a connection sends at its `number`th turn.
  std::string_view batch(std::size_t connection, std::uint64_t number) const {
    return batches_[(connection + number) % batches_.size()];
  }
  std::size_t batchSize() const { return batches_.front().size(); }

 private:
  std::vector<std::string> batches_;
};

// Throws std::runtime_error unless `answer` is what stands at `offset` of the
// batch.
void verify(std::string_view batch, std::size_t offset,
            std::string_view answer);

}  // namespace brigade::bench
