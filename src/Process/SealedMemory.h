#pragma once

// SealedMemory: bytes in a memfd(2) that nobody can change or shrink any more,
// so a process may read what another has written without a copy and without
// fear (F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW: fcntl(2)). How payloads that
// are too large for a Channel's frame travel.

#include <cstddef>
#include <string_view>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

class SealedMemory {
 public:
  // A sealed memfd with these bytes, close-on-exec. Throws std::system_error.
  static FileDescriptor make(std::string_view bytes);

  // Maps what another process has made; the descriptor may be closed then.
  // Throws std::system_error, EPERM when it is not sealed, EINVAL when it does
  // not hold exactly `size` bytes.
  SealedMemory(int descriptor, std::size_t size);
  ~SealedMemory();
  SealedMemory(const SealedMemory&) = delete;
  SealedMemory& operator=(const SealedMemory&) = delete;

  // Valid as long as this object.
  std::string_view bytes() const { return {bytes_, size_}; }

 private:
  const char* bytes_ = nullptr;
  std::size_t size_;
};

}  // namespace brigade
