#include "Payload.h"

#include <cstring>
#include <random>
#include <stdexcept>

namespace brigade::bench {

namespace {

// Coprime to the usual numbers of connections.
constexpr std::size_t kBatches = 7;

std::string randomMessage(Protocol protocol, std::size_t size,
                          std::minstd_rand& random) {
  std::uniform_int_distribution<int> byte(
      protocol == Protocol::kRaw ? 0 : ' ',
      protocol == Protocol::kRaw ? 255 : '~');
  std::string message;
  for (std::size_t i = 0; i < size; ++i) {
    message += static_cast<char>(byte(random));
  }
  if (protocol == Protocol::kText) message.back() = '\n';
  return message;
}

}  // namespace

Payload::Payload(Protocol protocol, std::size_t size, std::size_t depth) {
  std::minstd_rand random(1);
  for (std::size_t i = 0; i < kBatches; ++i) {
    std::string& batch = batches_.emplace_back();
    for (std::size_t message = 0; message < depth; ++message) {
      batch += randomMessage(protocol, size, random);
    }
  }
}

void verify(std::string_view batch, std::size_t offset,
            std::string_view answer) {
  if (answer.size() > batch.size() - offset) {
    throw std::runtime_error("the server answered more than it was sent");
  }
  if (std::memcmp(batch.data() + offset, answer.data(), answer.size()) != 0) {
    throw std::runtime_error("the server answered other bytes than were sent");
  }
}

}  // namespace brigade::bench
