#include "brigade/Protocol/Gzip.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/Allocations.h"
#include "tests/support/Gunzip.h"

namespace brigade {
namespace {

using testing::unpacked;

std::string text(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

TEST(GzipTest, TextsAreWholeOneAfterTheOther) {
  Gzip gzip(6, Gzip::Use::kWhole);
  std::vector<char> room(1 << 20);
  for (const std::size_t size : {0u, 1u, 1000u, 1'000'000u}) {
    const std::size_t packed = gzip.pack(text(size), room);
    ASSERT_GT(packed, 0u);
    EXPECT_EQ(unpacked({room.data(), packed}), text(size) + "$");
  }
}

TEST(GzipTest, WhatDoesNotFitIsNothingAndSpoilsNothing) {
  Gzip gzip(6, Gzip::Use::kWhole);
  std::vector<char> room(10'000);
  const std::string bytes = text(10'000);
  const std::size_t size = gzip.pack(bytes, room);
  ASSERT_GT(size, 0u);
  EXPECT_EQ(gzip.pack(bytes, {room.data(), size - 1}), 0u);
  EXPECT_EQ(gzip.pack(bytes, {room.data(), size}), size);
  EXPECT_EQ(unpacked({room.data(), size}), bytes + "$");
}

TEST(GzipTest, AfterEachPieceAllOfItCanBeRead) {
  for (const std::size_t room : {16u, 17u, 100u, 65'536u}) {
    Gzip gzip(6, Gzip::Use::kPieces);
    std::vector<char> bytes(room);
    std::string packed;
    std::string all;
    const auto take = [&](Gzip::Flush flush) {
      while (const std::size_t size = gzip.take(bytes, flush)) {
        packed.append(bytes.data(), size);
      }
    };
    for (const std::size_t size : {1u, 300u, 70'000u, 2u}) {
      const std::string piece = text(size);
      all += piece;
      gzip.add(piece);
      take(Gzip::Flush::kPiece);
      ASSERT_EQ(unpacked(packed), all) << room;
    }
    gzip.add({});
    take(Gzip::Flush::kEnd);
    EXPECT_EQ(unpacked(packed), all + "$") << room;
  }
}

TEST(GzipTest, PackingAsksNothingOfTheHeap) {
  Gzip gzip(6, Gzip::Use::kWhole);
  std::vector<char> room(100'000);
  const std::string bytes = text(100'000);
  const std::size_t before = test::allocations();
  for (int i = 0; i < 10; ++i) ASSERT_GT(gzip.pack(bytes, room), 0u);
  EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace brigade
