#include "Payload.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>

namespace brigade::bench {

namespace {

// Coprime to the usual numbers of connections.
constexpr std::size_t kBatches = 7;
constexpr std::string_view kDateField = "\r\nDate: ";
// RFC 9110, 5.6.7: IMF-fixdate.
constexpr std::size_t kDateSize = 29;
// The key is the one of RFC 6455, 1.2.
constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";

bool isBinary(Protocol protocol) {
  return protocol == Protocol::kRaw || protocol == Protocol::kWebSocketBinary;
}

bool isWebSocket(Protocol protocol) {
  return protocol == Protocol::kWebSocket ||
         protocol == Protocol::kWebSocketBinary;
}

std::string randomMessage(Protocol protocol, std::size_t size,
                          std::minstd_rand& random) {
  std::uniform_int_distribution<int> byte(isBinary(protocol) ? 0 : ' ',
                                          isBinary(protocol) ? 255 : '~');
  std::string message;
  for (std::size_t i = 0; i < size; ++i) {
    message += static_cast<char>(byte(random));
  }
  if (protocol == Protocol::kText) message.back() = '\n';
  return message;
}

// RFC 6455, 5.2: one frame, a whole message.
std::string frameHead(Protocol protocol, std::size_t size, unsigned masked) {
  const unsigned opcode = protocol == Protocol::kWebSocketBinary ? 2 : 1;
  std::string head(1, static_cast<char>(0x80 | opcode));
  std::size_t lengthBytes = 0;
  if (size < 126) {
    head += static_cast<char>(masked | size);
  } else {
    lengthBytes = size <= 0xFFFF ? 2 : 8;
    head += static_cast<char>(masked | (lengthBytes == 2 ? 126 : 127));
  }
  while (lengthBytes-- > 0) {
    head += static_cast<char>(size >> (8 * lengthBytes) & 0xFF);
  }
  return head;
}

std::string maskedFrame(Protocol protocol, std::string_view message,
                        std::minstd_rand& random) {
  std::string frame = frameHead(protocol, message.size(), 0x80);
  std::array<char, 4> key{};
  for (char& byte : key) byte = static_cast<char>(random() & 0xFF);
  frame.append(key.data(), key.size());
  for (std::size_t i = 0; i < message.size(); ++i) {
    frame += static_cast<char>(message[i] ^ key[i % key.size()]);
  }
  return frame;
}

}  // namespace

Payload::Payload(Protocol protocol, std::size_t size, std::size_t depth) {
  if (isWebSocket(protocol)) greeting_ = kUpgrade;
  std::minstd_rand random(1);
  for (std::size_t i = 0; i < kBatches; ++i) {
    Batch& batch = batches_.emplace_back();
    for (std::size_t message = 0; message < depth; ++message) {
      const std::string bytes = randomMessage(protocol, size, random);
      if (isWebSocket(protocol)) {
        batch.sent += maskedFrame(protocol, bytes, random);
        batch.answer += frameHead(protocol, size, 0) + bytes;
      } else {
        batch.sent += bytes;
        batch.answer += bytes;
      }
    }
  }
}

Payload::Payload(std::string_view request, std::string_view answer,
                 std::size_t depth) {
  Batch& batch = batches_.emplace_back();
  for (std::size_t i = 0; i < depth; ++i) {
    batch.sent += request;
    batch.answer += answer;
  }
  const std::size_t found = answer.find(kDateField);
  if (found == std::string_view::npos) return;
  period_ = answer.size();
  date_ = found + kDateField.size();
}

void Payload::verify(std::size_t connection, std::uint64_t number,
                     std::size_t offset, std::string_view got) {
  Batch& batch = batches_[(connection + number) % batches_.size()];
  if (got.size() > batch.answer.size() - offset) {
    throw std::runtime_error("the server answered more than it was asked");
  }
  const char* const expected = batch.answer.data() + offset;
  if (std::memcmp(expected, got.data(), got.size()) == 0) return;
  if (acceptDates(batch, offset, got)) return;
  throw std::runtime_error("the server answered other bytes than it should");
}

// Takes over the dates in `got`; whether all the rest is as expected.
bool Payload::acceptDates(Batch& batch, std::size_t offset,
                          std::string_view got) {
  if (period_ == 0) return false;
  for (std::size_t answer = 0; answer < batch.answer.size();
       answer += period_) {
    const std::size_t begin = std::max(answer + date_, offset);
    const std::size_t end =
        std::min(answer + date_ + kDateSize, offset + got.size());
    if (begin < end) {
      batch.answer.replace(begin, end - begin, got, begin - offset,
                           end - begin);
    }
  }
  return std::memcmp(batch.answer.data() + offset, got.data(), got.size()) == 0;
}

}  // namespace brigade::bench
