#include "brigade/Protocol/Frame.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/CodecProperty.h"

namespace brigade {
namespace {

using namespace std::string_literals;
using testing::CodecProperty;
using testing::CodecResult;

const CodecProperty kFrame([] { return std::make_unique<Frame>(); });
constexpr const char* kTooShort = "a frame shorter than its own header";

struct Case {
  const char* name;
  std::string bytes;
  std::vector<std::string> messages;
  std::string malformed;
  std::size_t rest;
};

const std::vector<Case> kCases = {
    {"one frame", "\0\0\0\x09hello"s, {"hello"}, "", 0},
    {"no bytes", "\0\0\0\x04"s, {""}, "", 0},
    {"several frames",
     "\0\0\0\x05"
     "a\0\0\0\x04\0\0\0\x06"
     "bc"s,
     {"a", "", "bc"},
     "",
     0},
    {"any bytes", "\0\0\0\x08\0\xff\n\x80"s, {"\0\xff\n\x80"s}, "", 0},
    {"part of a header", "\0\0\0"s, {}, "", 3},
    {"only a header", "\0\0\0\x05"s, {}, "", 4},
    {"part of a frame", "\0\0\0\x09hell"s, {}, "", 8},
    {"a frame and a part", "\0\0\0\x05x\0"s, {"x"}, "", 1},
    {"an announced length of 0", "\0\0\0\0x"s, {}, kTooShort, 5},
    {"an announced length of 3", "\0\0\0\x03"s, {}, kTooShort, 4},
    {"a frame and a lie", "\0\0\0\x05x\0\0\0\x01"s, {"x"}, kTooShort, 4},
    {"the longest of all", "\xff\xff\xff\xffx"s, {}, "", 5},
};

TEST(Frame, FramesAreMessagesHoweverTheyAreCut) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const CodecResult expected{c.messages, c.malformed, c.rest};
    EXPECT_EQ(kFrame.whole(c.bytes), expected);
    kFrame.holdsFor(c.bytes);
  }
}

TEST(Frame, AllFourBytesOfTheLengthCount) {
  const std::string message(0x010203 - 4, 'x');
  const CodecResult expected{{message}, "", 0};
  EXPECT_EQ(kFrame.whole("\0\x01\x02\x03"s + message), expected);
}

TEST(Frame, TheLengthIsKnownOnceTheHeaderIsThere) {
  Frame codec;
  EXPECT_EQ(codec.input("\xfe"s).length, 0U);
  EXPECT_EQ(codec.input("\xfe\xdc\xba"s).length, 0U);
  const Packet packet = codec.input("\xfe\xdc\xba\x98"s);
  EXPECT_EQ(packet.kind, Packet::Kind::kMore);
  EXPECT_EQ(packet.length, 0xFEDCBA98U);
}

TEST(Frame, TheWorkForALongFrameIsLinear) {
  kFrame.scansOnce("\0\x10\0\0"s + std::string((1 << 20) - 4, 'x'));
}

TEST(Frame, AMessageIsSentBehindItsLength) {
  Frame codec;
  EXPECT_EQ(CodecProperty::encoded(codec, "hello"), "\0\0\0\x09hello"s);
  EXPECT_EQ(CodecProperty::encoded(codec, ""), "\0\0\0\x04"s);
  const std::string large(0x123456 - 4, 'x');
  EXPECT_EQ(CodecProperty::encoded(codec, large), "\0\x12\x34\x56"s + large);
}

TEST(Frame, AMessageSurvivesTheWayThere) {
  kFrame.survives("");
  kFrame.survives("hello\n");
  kFrame.survives(std::string(100000, '\0'));
}

// Address space that may not be touched stands for a huge message.
class HugeMessage : public ::testing::Test {
 protected:
  void SetUp() override {
    memory_ = ::mmap(nullptr, kSize, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(memory_, MAP_FAILED);
  }
  void TearDown() override { ::munmap(memory_, kSize); }

  void encode(std::size_t size) {
    const std::string_view data(static_cast<const char*>(memory_), size);
    out_.setMessage(data);
    codec_.encode(data, out_);
  }

  static constexpr std::size_t kSize = std::size_t{1} << 32;
  void* memory_ = nullptr;
  Frame codec_;
  Output out_;
};

TEST_F(HugeMessage, ThatJustFitsIsSentWithoutACopy) {
  encode(Frame::kMaxMessage);
  ASSERT_EQ(out_.pieces().size(), 2U);
  const char* header = static_cast<const char*>(out_.pieces()[0].iov_base);
  EXPECT_EQ(std::string_view(header, 4), "\xff\xff\xff\xff");
  EXPECT_EQ(out_.size(), 0xFFFFFFFFU);
}

TEST_F(HugeMessage, ThatFitsNoFrameIsRefused) {
  EXPECT_THROW(encode(Frame::kMaxMessage + 1), std::length_error);
  EXPECT_TRUE(out_.empty());
}

TEST(Frame, TheCodecOfAConnectionIsTiny) { EXPECT_LE(sizeof(Frame), 16U); }

}  // namespace
}  // namespace brigade
