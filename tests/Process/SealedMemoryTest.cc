#include "brigade/Process/SealedMemory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace brigade::test {
namespace {

int errorOfMapping(int descriptor, std::size_t size) {
  try {
    const SealedMemory memory(descriptor, size);
    return 0;
  } catch (const std::system_error& e) {
    return e.code().value();
  }
}

TEST(SealedMemory, WhatWasWrittenIsReadAlsoWhenTheDescriptorIsClosed) {
  const std::string text(3 * 1024 * 1024 + 7, 'x');
  FileDescriptor fd = SealedMemory::make(text);
  const SealedMemory memory(fd.get(), text.size());
  fd.reset();
  EXPECT_EQ(memory.bytes(), text);
}

TEST(SealedMemory, NobodyCanChangeIt) {
  const FileDescriptor fd = SealedMemory::make("hello");
  EXPECT_EQ(::pwrite(fd.get(), "j", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
}

TEST(SealedMemory, MemoryThatIsNotSealedOrOfAnotherSizeIsRefused) {
  const FileDescriptor open(::memfd_create("open", MFD_CLOEXEC));
  ASSERT_EQ(::write(open.get(), "hello", 5), 5);
  EXPECT_EQ(errorOfMapping(open.get(), 5), EPERM);
  EXPECT_EQ(errorOfMapping(-1, 5), EPERM);
  const FileDescriptor sealed = SealedMemory::make("hello");
  EXPECT_EQ(errorOfMapping(sealed.get(), 4), EINVAL);
  EXPECT_EQ(errorOfMapping(sealed.get(), 6), EINVAL);
}

TEST(SealedMemory, NoBytesAreFineToo) {
  const FileDescriptor fd = SealedMemory::make("");
  EXPECT_EQ(SealedMemory(fd.get(), 0).bytes(), "");
}

}  // namespace
}  // namespace brigade::test
