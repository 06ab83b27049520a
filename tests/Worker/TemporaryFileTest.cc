#include "brigade/Worker/detail/TemporaryFile.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/TempDirectory.h"

namespace brigade::detail {
namespace {

using IfExists = HttpUpload::File::IfExists;

class TemporaryFileTest : public ::testing::Test {
 protected:
  bool isEmpty() const { return std::filesystem::is_empty(folder.path()); }

  std::string contentOf(const std::string& name) const {
    std::ifstream in(folder / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  test::TempDirectory folder;
};

TEST_F(TemporaryFileTest, BothKindsHaveNoNameAndKeepWhatIsWritten) {
  for (const auto open : {openTemporaryFile, openUnlinkedFile}) {
    const FileDescriptor file = open(folder.name());
    ASSERT_TRUE(file);
    EXPECT_TRUE(isEmpty());
    struct stat status {};
    ASSERT_EQ(::fstat(file.get(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    EXPECT_EQ(status.st_nlink, 0u);
    EXPECT_FALSE(appendTo(file, "one,"));
    EXPECT_FALSE(appendTo(file, "two"));
    std::array<char, 8> bytes;
    ASSERT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0), 7);
    EXPECT_EQ(std::string(bytes.data(), 7), "one,two");
  }
}

TEST_F(TemporaryFileTest, OneThatWasUnlinkedIsSavedAsACopy) {
  const FileDescriptor file = openUnlinkedFile(folder.name());
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += std::to_string(i);
  ASSERT_FALSE(appendTo(file, bytes));
  EXPECT_FALSE(saveFile(file, {}, folder / "a", IfExists::kFail));
  EXPECT_EQ(contentOf("a"), bytes);
  EXPECT_EQ(saveFile(file, {}, folder / "a", IfExists::kFail),
            std::errc::file_exists);
  std::ofstream(folder / "a") << "other";
  EXPECT_FALSE(saveFile(file, {}, folder / "a", IfExists::kReplace));
  EXPECT_EQ(contentOf("a"), bytes);
  std::filesystem::remove(folder / "a");
  EXPECT_TRUE(isEmpty());
}

TEST_F(TemporaryFileTest, OneOfAnotherFileSystemIsSavedAsACopy) {
  const FileDescriptor file = openTemporaryFile("/dev/shm");
  if (!file) GTEST_SKIP() << "no /dev/shm";
  ASSERT_FALSE(appendTo(file, "bytes"));
  EXPECT_FALSE(saveFile(file, {}, folder / "a", IfExists::kFail));
  EXPECT_EQ(contentOf("a"), "bytes");
}

TEST_F(TemporaryFileTest, ANameWithANulIsRefused) {
  const FileDescriptor file = openTemporaryFile(folder.name());
  EXPECT_EQ(saveFile(file, {}, folder.name() + std::string("/a\0b", 4),
                     IfExists::kFail),
            std::errc::invalid_argument);
  EXPECT_TRUE(isEmpty());
}

}  // namespace
}  // namespace brigade::detail
