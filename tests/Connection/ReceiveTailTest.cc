#include "brigade/Connection/detail/ReceiveTail.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace brigade::detail {
namespace {

void receive(ReceiveTail& tail, std::string_view bytes) {
  ASSERT_GE(tail.spareSize(), bytes.size());
  std::memcpy(tail.spare(), bytes.data(), bytes.size());
  tail.commit(bytes.size());
}

TEST(ReceiveTailTest, HoldsWhatItWasGiven) {
  ReceiveTail tail;
  tail.assign("hello");
  EXPECT_EQ(tail.bytes(), "hello");
  tail.consume(2);
  EXPECT_EQ(tail.bytes(), "llo");
  tail.assign(tail.bytes().substr(1));
  EXPECT_EQ(tail.bytes(), "lo");
}

TEST(ReceiveTailTest, KnowsItsOwnEnd) {
  ReceiveTail tail;
  tail.assign("hello");
  EXPECT_TRUE(tail.holds(tail.bytes().substr(3)));
  EXPECT_FALSE(tail.holds(tail.bytes().substr(0, 2)));
  EXPECT_FALSE(tail.holds("llo"));
}

TEST(ReceiveTailTest, GrowingKeepsTheBytes) {
  ReceiveTail tail;
  std::string expected(2000, 'a');
  tail.assign(expected);
  for (int i = 0; i < 200; ++i) {
    tail.reserve();
    const std::string more(tail.spareSize(), static_cast<char>('b' + i % 20));
    receive(tail, more);
    expected += more;
    ASSERT_EQ(tail.size(), expected.size());
    if (expected.size() > 5'000'000) break;
  }
  EXPECT_EQ(tail.bytes(), expected);
}

TEST(ReceiveTailTest, AClaimCostsNoMoreThanTwiceWhatHasCome) {
  ReceiveTail tail;
  tail.assign(std::string(2000, 'x'));
  tail.expect(1'000'000'000);
  tail.reserve();
  EXPECT_LE(tail.capacity(), 2000u + 16u * 1024u);
}

TEST(ReceiveTailTest, AKnownLengthIsNotOvershotByMuch) {
  ReceiveTail tail;
  tail.assign(std::string(100'000, 'x'));
  tail.expect(110'000);
  tail.reserve();
  EXPECT_GE(tail.capacity(), 110'000u);
  EXPECT_LE(tail.capacity(), 110'000u + 16u * 1024u);
}

TEST(ReceiveTailTest, ReceivingByteByByteMovesTheBytesRarely) {
  ReceiveTail tail;
  tail.assign(std::string(2000, 'x'));
  const char* previous = nullptr;
  int moves = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    tail.reserve();
    receive(tail, "y");
    if (tail.bytes().data() != previous) ++moves;
    previous = tail.bytes().data();
  }
  EXPECT_LE(moves, 12);  // it doubles
}

}  // namespace
}  // namespace brigade::detail
