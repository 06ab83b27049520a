#pragma once

// SharedArray: n objects of T in anonymous memory that is shared over fork
// (mmap(2), MAP_SHARED | MAP_ANONYMOUS): no name, no file, gone with its last
// process. T is what may live there: no pointers, no owners.

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>

namespace brigade {

template <typename T>
class SharedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // Throws std::system_error.
  explicit SharedArray(std::size_t count) : count_(count) {
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(),
                              "cannot map shared memory");
    }
    items_ = static_cast<T*>(memory);
    std::uninitialized_value_construct_n(items_, count_);
  }
  ~SharedArray() { ::munmap(items_, bytes()); }
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;

  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  std::size_t size() const { return count_; }

 private:
  std::size_t bytes() const { return (count_ == 0 ? 1 : count_) * sizeof(T); }

  std::size_t count_;
  T* items_;
};

}  // namespace brigade
