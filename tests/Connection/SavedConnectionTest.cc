#include "brigade/Connection/SavedConnection.h"

#include <gtest/gtest.h>

#include <exception>
#include <string>

namespace brigade {
namespace {

SavedConnection example() {
  SavedConnection saved;
  saved.id = {70, 5};
  saved.bytesRead = 1ull << 40;
  saved.bytesWritten = 2;
  saved.maxPackageSize = 3;
  saved.idleTimeoutMs = 4;
  saved.hasIdleTimeout = true;
  saved.packageTimed = false;
  saved.full = true;
  saved.unread = "half a li";
  saved.unsent = std::string(100'000, 'x');
  saved.content = std::string("\0state", 6);
  return saved;
}

TEST(SavedConnectionTest, IsReadAsItWasWritten) {
  const SavedConnection saved = example();
  const SavedConnection read = decodeConnection(encode(saved));
  EXPECT_EQ(read.id, saved.id);
  EXPECT_EQ(read.bytesRead, saved.bytesRead);
  EXPECT_EQ(read.bytesWritten, saved.bytesWritten);
  EXPECT_EQ(read.maxPackageSize, 3u);
  EXPECT_EQ(read.maxSendBufferSize, 0u);
  EXPECT_EQ(read.idleTimeoutMs, 4u);
  EXPECT_TRUE(read.hasIdleTimeout);
  EXPECT_FALSE(read.packageTimed);
  EXPECT_FALSE(read.paused);
  EXPECT_TRUE(read.full);
  EXPECT_FALSE(read.ended);
  EXPECT_EQ(read.unread, saved.unread);
  EXPECT_EQ(read.unsent, saved.unsent);
  EXPECT_EQ(read.content, saved.content);
}

TEST(SavedConnectionTest, OfAnotherVersionOrCutShortIsRefused) {
  std::string bytes = encode(example());
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, std::size_t{60}, bytes.size() - 1}) {
    EXPECT_THROW(decodeConnection(bytes.substr(0, size)), std::exception)
        << size;
  }
  bytes[0] = static_cast<char>(bytes[0] + 1);
  EXPECT_THROW(decodeConnection(bytes), std::exception);
}

}  // namespace
}  // namespace brigade
