#include "brigade/Protocol/Output.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace brigade {
namespace {

// More than an Output holds before it grows.
constexpr std::size_t kHuge =
    2 * (Output::kFlushSize + Output::kBorrowMessage) + 1;

class OutputTest : public ::testing::Test {
 protected:
  // All bytes, in order.
  std::string bytes() {
    std::string all;
    for (const iovec& piece : out_.pieces()) {
      EXPECT_GT(piece.iov_len, 0U);
      all.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    EXPECT_EQ(all.size(), out_.size());
    EXPECT_EQ(all.empty(), out_.empty());
    return all;
  }

  // Whether some piece is `part` itself, not a copy.
  bool borrows(std::string_view part) {
    for (const iovec& piece : out_.pieces()) {
      if (piece.iov_base == part.data() && piece.iov_len == part.size()) {
        return true;
      }
    }
    return false;
  }

  // Text in which each part differs from the others.
  static std::string text(std::size_t size) {
    std::string result;
    while (result.size() < size) {
      result += std::to_string(result.size()) + ' ';
    }
    result.resize(size);
    return result;
  }

  Output out_;
};

TEST_F(OutputTest, StartsEmpty) {
  EXPECT_EQ(bytes(), "");
  EXPECT_TRUE(out_.pieces().empty());
  EXPECT_FALSE(out_.wantsFlush());
  EXPECT_FALSE(out_.borrowsMessage());
}

TEST_F(OutputTest, GathersSmallAppendsInOnePiece) {
  out_.append("one");
  out_.append(' ');
  out_.append("two");
  EXPECT_EQ(bytes(), "one two");
  EXPECT_EQ(out_.pieces().size(), 1U);
}

TEST_F(OutputTest, AnEmptyAppendChangesNothing) {
  out_.append(std::string_view());
  EXPECT_EQ(bytes(), "");
  out_.append("x");
  out_.append("");
  EXPECT_EQ(bytes(), "x");
}

TEST_F(OutputTest, CopiesWhatMayDie) {
  std::string dying = text(Output::kBorrowMessage);
  const std::string expected = dying;
  out_.append(dying);
  dying.assign(dying.size(), '?');
  EXPECT_EQ(bytes(), expected);
  EXPECT_FALSE(out_.borrowsMessage());
}

TEST_F(OutputTest, GoesOnAfterPieces) {
  out_.append("one ");
  EXPECT_EQ(bytes(), "one ");
  out_.append("two ");
  EXPECT_EQ(bytes(), "one two ");
  EXPECT_EQ(bytes(), "one two ");
  out_.append('3');
  EXPECT_EQ(bytes(), "one two 3");
}

TEST_F(OutputTest, TakesAnAppendLongerThanItsRoom) {
  const std::string huge = text(kHuge);
  out_.append("before ");
  out_.append(huge);
  out_.append(" behind");
  EXPECT_EQ(bytes(), "before " + huge + " behind");
}

TEST_F(OutputTest, TakesAHugeAppendFirst) {
  const std::string huge = text(kHuge);
  out_.append(huge);
  EXPECT_EQ(bytes(), huge);
}

TEST_F(OutputTest, GrowsWithManySmallAppends) {
  std::string expected;
  while (expected.size() < 3 * kHuge) {
    const std::string part = text(997);
    out_.append(part);
    out_.append('\n');
    expected += part + '\n';
  }
  EXPECT_EQ(bytes(), expected);
}

TEST_F(OutputTest, GrowsWithSingleBytes) {
  const std::string expected = text(kHuge);
  for (const char byte : expected) out_.append(byte);
  EXPECT_EQ(bytes(), expected);
}

TEST_F(OutputTest, KeepsPiecesInOrderAcrossGrowth) {
  const std::string huge = text(kHuge);
  out_.append("a");
  EXPECT_EQ(bytes(), "a");
  out_.append(huge);
  EXPECT_EQ(bytes(), "a" + huge);
  out_.append(huge);
  EXPECT_EQ(bytes(), "a" + huge + huge);
}

TEST_F(OutputTest, BorrowsLargePartsOfTheInput) {
  const std::string input = text(4 * Output::kBorrowInput);
  const std::string_view view = input;
  out_.setInput(input);
  out_.append('a');
  out_.append(view.substr(1, Output::kBorrowInput));
  out_.append('b');
  out_.append(view);
  EXPECT_TRUE(borrows(view.substr(1, Output::kBorrowInput)));
  EXPECT_TRUE(borrows(view));
  EXPECT_FALSE(out_.borrowsMessage());
  std::string expected = "a";
  expected.append(input, 1, Output::kBorrowInput);
  EXPECT_EQ(bytes(), expected + 'b' + input);
}

TEST_F(OutputTest, CopiesSmallPartsOfTheInput) {
  const std::string input = text(4 * Output::kBorrowInput);
  out_.setInput(input);
  const std::string_view part =
      std::string_view(input).substr(0, Output::kBorrowInput - 1);
  out_.append(part);
  EXPECT_FALSE(borrows(part));
  EXPECT_EQ(bytes(), part);
}

TEST_F(OutputTest, CopiesWhatOnlyOverlapsTheInput) {
  const std::string input = text(4 * Output::kBorrowInput);
  const std::string_view view = input;
  out_.setInput(view.substr(0, 2 * Output::kBorrowInput));
  out_.append(view.substr(1, 2 * Output::kBorrowInput));
  EXPECT_FALSE(borrows(view.substr(1, 2 * Output::kBorrowInput)));
  EXPECT_EQ(bytes(), view.substr(1, 2 * Output::kBorrowInput));
}

TEST_F(OutputTest, BorrowsALargeMessageAndWantsToBeSent) {
  const std::string message = text(Output::kBorrowMessage);
  out_.setMessage(message);
  out_.append("head");
  out_.append(message);
  EXPECT_TRUE(borrows(message));
  EXPECT_TRUE(out_.borrowsMessage());
  EXPECT_TRUE(out_.wantsFlush());
  EXPECT_EQ(bytes(), "head" + message);
}

TEST_F(OutputTest, CopiesASmallerMessage) {
  const std::string message = text(Output::kBorrowMessage - 1);
  out_.setMessage(message);
  out_.append(message);
  EXPECT_FALSE(borrows(message));
  EXPECT_FALSE(out_.borrowsMessage());
  EXPECT_EQ(bytes(), message);
}

// Echo: the message is part of the input, which stays until clear().
TEST_F(OutputTest, AMessageWithinTheInputNeedsNoFlush) {
  const std::string input = text(Output::kBorrowMessage);
  out_.setInput(input);
  out_.setMessage(input);
  out_.append(input);
  EXPECT_TRUE(borrows(input));
  EXPECT_FALSE(out_.borrowsMessage());
  EXPECT_FALSE(out_.wantsFlush());
}

TEST_F(OutputTest, WantsToBeSentFromFlushSizeOn) {
  out_.append(text(Output::kFlushSize - 1));
  EXPECT_FALSE(out_.wantsFlush());
  out_.append('x');
  EXPECT_TRUE(out_.wantsFlush());
}

TEST_F(OutputTest, WantsToBeSentFromSoManyPiecesOn) {
  const std::string input = text(Output::kBorrowInput);
  out_.setInput(input);
  for (std::size_t i = 2; i < Output::kFlushPieces; i += 2) {
    out_.append('x');
    out_.append(input);
  }
  out_.append('x');
  EXPECT_FALSE(out_.wantsFlush());
  out_.append(input);
  ASSERT_LT(out_.size(), Output::kFlushSize);
  EXPECT_TRUE(out_.wantsFlush());
  EXPECT_EQ(out_.pieces().size(), Output::kFlushPieces);
}

TEST_F(OutputTest, ForgetsBytesAndKeepsTheInput) {
  const std::string input = text(Output::kBorrowMessage);
  const std::string message = text(Output::kBorrowMessage);
  out_.setInput(input);
  out_.setMessage(message);
  out_.append(message);
  out_.forgetBytes();
  EXPECT_EQ(bytes(), "");
  EXPECT_FALSE(out_.wantsFlush());
  out_.append(message);
  EXPECT_FALSE(borrows(message));
  out_.append(input);
  EXPECT_TRUE(borrows(input));
}

TEST_F(OutputTest, ClearForgetsTheInputAsWell) {
  const std::string input = text(Output::kBorrowInput);
  out_.setInput(input);
  out_.append(input);
  out_.clear();
  EXPECT_EQ(bytes(), "");
  out_.append(input);
  EXPECT_FALSE(borrows(input));
  EXPECT_EQ(bytes(), input);
}

TEST_F(OutputTest, StartsOverAfterGrowth) {
  const std::string huge = text(kHuge);
  for (int round = 0; round < 3; ++round) {
    out_.append("a");
    out_.append(huge);
    out_.append(huge);
    out_.clear();
    EXPECT_EQ(bytes(), "");
    out_.append("small");
    EXPECT_EQ(bytes(), "small");
    out_.append(huge);
    EXPECT_EQ(bytes(), "small" + huge);
    out_.clear();
  }
}

TEST_F(OutputTest, HasItsUsualRoomAgainAfterGrowth) {
  out_.append(text(kHuge));
  out_.clear();
  const std::string next = text(kHuge - 1);
  out_.append('x');
  out_.append(next);
  EXPECT_EQ(out_.pieces().size(), 2U);
  EXPECT_EQ(bytes(), 'x' + next);
}

TEST_F(OutputTest, IsTruncatedWhereverItGrew) {
  const std::string input(3000, 'i');
  out_.setInput(input);
  // Small ones, a borrowed one, and two that make it grow, in turn.
  const std::string parts[] = {std::string(100, 'a'),    input,
                               std::string(50'000, 'b'), std::string("c"),
                               std::string(kHuge, 'd'),  std::string(10, 'e')};
  std::string all;
  for (const std::string& part : parts) all += part;
  for (const std::size_t keep :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{101},
        std::size_t{3100}, std::size_t{50'000}, std::size_t{53'101},
        std::size_t{53'102}, all.size() - 10, all.size() - 1, all.size()}) {
    SCOPED_TRACE(keep);
    out_.clear();
    out_.setInput(input);
    for (const std::string& part : parts) {
      out_.append(part.size() == input.size() ? std::string_view(input)
                                              : std::string_view(part));
    }
    out_.truncate(keep);
    EXPECT_TRUE(bytes() == all.substr(0, keep));
    out_.append("more");
    out_.append('!');
    EXPECT_TRUE(bytes() == all.substr(0, keep) + "more!");
  }
}

TEST_F(OutputTest, WhatWasTruncatedTakesNoRoom) {
  out_.append("first");
  const void* const begin = out_.pieces()[0].iov_base;
  for (int i = 0; i < 1000; ++i) {
    out_.append(std::string(10'000, 'x'));
    out_.truncate(5);
  }
  ASSERT_EQ(out_.pieces().size(), 1U);
  EXPECT_EQ(out_.pieces()[0].iov_base, begin);
  EXPECT_EQ(bytes(), "first");
}

TEST_F(OutputTest, ReusesItsMemoryInTheSteadyState) {
  out_.append("x");
  const void* first = out_.pieces()[0].iov_base;
  out_.clear();
  out_.append(text(kHuge));
  out_.clear();
  out_.append("x");
  EXPECT_EQ(out_.pieces()[0].iov_base, first);
}

}  // namespace
}  // namespace brigade
