#include "brigade/Protocol/detail/Mask.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/support/GuardedBytes.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade {
namespace {

using detail::MaskKey;
using testing::maskedWith;

constexpr std::string_view kKey = "\x01\x80\xfe\x5a";

std::string payloadOf(std::size_t size) {
  std::string payload;
  for (std::size_t i = 0; i < size; ++i) {
    payload += static_cast<char>(i * 7 + i / 256);
  }
  return payload;
}

// RFC 6455, 5.3, at every alignment and length; what is around stays as it is.
TEST(Mask, EveryByteIsXoredWithItsByteOfTheKeyWhereverItLies) {
  for (std::size_t offset = 0; offset < 32; ++offset) {
    for (std::size_t size = 0; size <= 200; ++size) {
      const std::string payload = payloadOf(size);
      std::string memory = std::string(offset, '#') + payload + "###";
      char* begin = memory.data() + offset;
      detail::unmask(begin, begin, size, MaskKey::at(kKey.data()));
      ASSERT_EQ(memory,
                std::string(offset, '#') + maskedWith(kKey, payload) + "###")
          << offset << " " << size;
    }
  }
}

TEST(Mask, UnmaskingMayCopy) {
  for (std::size_t size = 0; size <= 200; ++size) {
    const std::string payload = payloadOf(size);
    std::string to(size, '\0');
    detail::unmask(payload.data(), to.data(), size, MaskKey::at(kKey.data()));
    ASSERT_EQ(to, maskedWith(kKey, payload));
  }
}

TEST(Mask, NothingIsTouchedBehindTheEnd) {
  testing::GuardedBytes memory;
  for (std::size_t size = 0; size <= 200; ++size) {
    const auto bytes = memory.place(payloadOf(size));
    detail::unmask(bytes.data(), bytes.data(), size, MaskKey::at(kKey.data()));
    ASSERT_EQ(std::string(bytes.begin(), bytes.end()),
              maskedWith(kKey, payloadOf(size)));
  }
}

TEST(Mask, AKeyCanBeginAnywhere) {
  const std::string payload = payloadOf(100);
  const std::string masked = maskedWith(kKey, payload);
  for (std::size_t from = 0; from <= payload.size(); ++from) {
    std::string rest = masked.substr(from);
    detail::unmask(rest.data(), rest.data(), rest.size(),
                   MaskKey::at(kKey.data()).from(from));
    ASSERT_EQ(rest, payload.substr(from));
  }
}

}  // namespace
}  // namespace brigade
