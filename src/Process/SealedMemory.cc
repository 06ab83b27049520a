#include "brigade/Process/SealedMemory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace brigade {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

[[noreturn]] void fail(int error, const char* what) {
  throw std::system_error(error, std::generic_category(), what);
}

void writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno, "cannot fill sealed memory");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

FileDescriptor SealedMemory::make(std::string_view bytes) {
  FileDescriptor fd(
      ::memfd_create("brigade payload", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) fail(errno, "cannot make sealed memory");
  writeAll(fd.get(), bytes);
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) {
    fail(errno, "cannot seal memory");
  }
  return fd;
}

SealedMemory::SealedMemory(int descriptor, std::size_t size) : size_(size) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    fail(EPERM, "the memory of a payload is not sealed");
  }
  struct stat facts;
  if (::fstat(descriptor, &facts) != 0 || facts.st_size < 0 ||
      static_cast<std::size_t>(facts.st_size) != size) {
    fail(EINVAL, "the memory of a payload has another size");
  }
  if (size == 0) return;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (memory == MAP_FAILED) fail(errno, "cannot map a payload");
  bytes_ = static_cast<const char*>(memory);
}

SealedMemory::~SealedMemory() {
  if (bytes_ != nullptr) ::munmap(const_cast<char*>(bytes_), size_);
}

}  // namespace brigade
