#pragma once

// Buffer: bytes that grow without being zeroed first, and by realloc(3), which
// moves the pages of large ones instead of copying them: while a message of
// megabytes is collected it exists once. Owns its memory; empty it has none.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace brigade::detail {

class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~Buffer() { std::free(data_); }

  char* data() { return data_; }
  std::string_view view() const { return {data_, size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }

  // Room for `size` bytes in all, and no more than that.
  void reserve(std::size_t size) {
    if (size <= capacity_) return;
    void* grown = std::realloc(data_, size);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    capacity_ = size;
  }
  // Room for `more` bytes behind those that are there, which the caller
  // writes; `most` is what the buffer will ever hold.
  char* extend(std::size_t more, std::size_t most) {
    if (more > capacity_ - size_) {
      const std::size_t needed = size_ + more;
      reserve(std::max(needed, std::min(most, 2 * capacity_)));
    }
    char* begin = data_ + size_;
    size_ += more;
    return begin;
  }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(extend(bytes.size(), static_cast<std::size_t>(-1)),
                bytes.data(), bytes.size());
  }
  // Forgets bytes, keeps the memory.
  void resizeDown(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace brigade::detail
