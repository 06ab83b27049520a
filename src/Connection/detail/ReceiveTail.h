#pragma once

// ReceiveTail: the received bytes of one connection that are not a whole
// package yet, or wait while it is paused. A connection has one only while
// there are such bytes.
//
//   data: | consumed | bytes()          | spare()  |
//         0          begin              end        capacity

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace brigade::detail {

class ReceiveTail {
 public:
  // A tail up to this size is copied in front of what is received next, which
  // costs less than a system call of its own for the rest of the package.
  static constexpr std::size_t kShort = 1024;

  std::string_view bytes() const { return {data_.get() + begin_, size()}; }
  // The same, for a codec to decode in place.
  std::span<char> writable() { return {data_.get() + begin_, size()}; }
  std::size_t size() const { return end_ - begin_; }
  std::size_t capacity() const { return capacity_; }

  // True when `part` is the end of this tail's bytes.
  bool holds(std::string_view part) const {
    return part.data() + part.size() == data_.get() + end_;
  }

  // Replaces the content. `bytes` may lie in this tail.
  void assign(std::string_view bytes);
  void consume(std::size_t bytes) { begin_ += bytes; }

  // How long the codec knows the package to be; 0: not known.
  void expect(std::size_t packageSize) { expected_ = packageSize; }
  // Makes room behind the bytes. It grows with them, towards the expected size
  // and never by more than they have come to so far: a claim costs no memory.
  void reserve();
  char* spare() { return data_.get() + end_; }
  std::size_t spareSize() const { return capacity_ - end_; }
  void commit(std::size_t bytes) { end_ += bytes; }

 private:
  void move(std::size_t capacity);

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t expected_ = 0;
};

}  // namespace brigade::detail
