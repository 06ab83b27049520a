#pragma once

// SharedArray: n objects of T in memory that is shared over fork and execve(2):
// a memfd (memfd_create(2)), so it has no name and is gone with its last
// process. T is what may live there: no pointers, no owners.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

template <typename T>
class SharedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // Throws std::system_error.
  explicit SharedArray(std::size_t count)
      : count_(count), fd_(::memfd_create("brigade", MFD_CLOEXEC)) {
    if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(bytes())) != 0) {
      refuse();
    }
    map();
    std::uninitialized_value_construct_n(items_, count_);
  }
  // What another image of this process has made, with that count.
  SharedArray(std::size_t count, FileDescriptor fd)
      : count_(count), fd_(std::move(fd)) {
    map();
  }
  ~SharedArray() { ::munmap(items_, bytes()); }
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;

  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  std::size_t size() const { return count_; }

  // For execve(2); -1 in a child that has closed its copy. The memory stays.
  int fd() const { return fd_.get(); }
  void closeInChild() { fd_.reset(); }

 private:
  std::size_t bytes() const { return (count_ == 0 ? 1 : count_) * sizeof(T); }
  void map() {
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                          fd_.get(), 0);
    if (memory == MAP_FAILED) refuse();
    items_ = static_cast<T*>(memory);
  }
  [[noreturn]] static void refuse() {
    throw std::system_error(errno, std::generic_category(),
                            "cannot make shared memory");
  }

  std::size_t count_;
  FileDescriptor fd_;
  T* items_;
};

}  // namespace brigade
