#include "brigade/Connection/detail/SendQueue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace brigade::detail {
namespace {

void push(SendQueue& queue, const std::string& bytes, std::size_t skip = 0) {
  std::string copy = bytes;
  const iovec piece{copy.data(), copy.size()};
  queue.append({&piece, 1}, skip);
}

// Takes everything out, at most `step` bytes at a time.
std::string drain(SendQueue& queue, std::size_t step) {
  std::string all;
  while (!queue.empty()) {
    std::string front;
    for (const iovec& piece : queue.front()) {
      front.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    const std::size_t taken = std::min(step, front.size());
    all += front.substr(0, taken);
    queue.consume(taken);
  }
  return all;
}

TEST(SendQueueTest, GivesBackTheBytesInOrderForEveryStep) {
  for (const std::size_t step : {1u, 7u, 16384u, 1'000'000u}) {
    SendQueue queue;
    std::string expected;
    for (const std::size_t size : {0u, 1u, 100u, 16384u, 16385u, 50'000u}) {
      const std::string bytes(size, static_cast<char>('a' + size % 26));
      push(queue, bytes);
      expected += bytes;
    }
    EXPECT_EQ(queue.size(), expected.size());
    EXPECT_EQ(drain(queue, step), expected) << step;
    EXPECT_EQ(queue.size(), 0u);
  }
}

TEST(SendQueueTest, SkipsWhatWasSentAlready) {
  SendQueue queue;
  std::string first = "abc";
  std::string second = "defg";
  const iovec pieces[] = {{first.data(), 3}, {second.data(), 4}};
  queue.append(pieces, 5);
  EXPECT_EQ(drain(queue, 10), "fg");
}

TEST(SendQueueTest, TakesMoreBetweenPartialConsumption) {
  SendQueue queue;
  push(queue, "hello ");
  queue.consume(2);
  push(queue, "world");
  EXPECT_EQ(drain(queue, 3), "llo world");
}

TEST(SendQueueTest, KeepsTheFirstBytesOfMemoryAndOfAFile) {
  const auto file = std::make_shared<const FileDescriptor>();
  for (std::size_t length = 0; length <= 13; ++length) {
    SCOPED_TRACE(length);
    SendQueue queue;
    push(queue, "_abcd");
    queue.append(file, 7, 5);
    push(queue, "efgh");
    queue.consume(1);
    ASSERT_EQ(queue.length(), 13u);
    queue.truncate(length);
    EXPECT_EQ(queue.length(), length);
    EXPECT_EQ(queue.empty(), length == 0);
    // Five of the bytes are a file's.
    const std::size_t ofFile = std::clamp<std::size_t>(length, 4, 9) - 4;
    EXPECT_EQ(queue.size(), length - ofFile);
  }
}

}  // namespace
}  // namespace brigade::detail
