#pragma once

// GuardedBytes: holds bytes so that the byte behind the last one is in a page
// that nothing may touch. Who reads past the end crashes there and then, in
// every build. One placement at a time: the next one replaces it, most often
// at another address.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>

namespace brigade::testing {

inline std::size_t pageSize() {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

class GuardedBytes {
 public:
  GuardedBytes() = default;
  explicit GuardedBytes(std::string_view bytes) { place(bytes); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { unmap(); }

  // Valid until the next call.
  std::span<char> place(std::string_view bytes) {
    if (bytes.size() > room_) map(bytes.size());
    char* begin = pages_ + room_ - bytes.size();
    if (!bytes.empty()) std::memmove(begin, bytes.data(), bytes.size());
    return {begin, bytes.size()};
  }

  // The first page of what may be placed; room() bytes of pages follow.
  char* pages() { return pages_; }
  std::size_t room() const { return room_; }

 private:
  void map(std::size_t bytes) {
    const std::size_t page = pageSize();
    const std::size_t room = (bytes + page - 1) / page * page;
    void* pages = ::mmap(nullptr, room + page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) fail("mmap");
    unmap();
    pages_ = static_cast<char*>(pages);
    room_ = room;
    if (::mprotect(pages_ + room_, page, PROT_NONE) != 0) fail("mprotect");
  }

  void unmap() {
    if (pages_ != nullptr) ::munmap(pages_, room_ + pageSize());
    pages_ = nullptr;
  }

  [[noreturn]] static void fail(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
  }

  char* pages_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace brigade::testing
