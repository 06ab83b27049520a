#pragma once

// Output: where encoders write. It gathers bytes that leave together in one
// system call. append() copies, except for large pieces of the received input
// and of the message being sent: those are borrowed, because their owner keeps
// them long enough. One Output serves all connections of a loop, so the steady
// state allocates nothing.

#include <sys/uio.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace brigade {

class Output {
 public:
  // From here on a copy costs more than another element of an iovec.
  static constexpr std::size_t kBorrowInput = 1024;
  // From here on a copy costs more than the system call that it may save.
  static constexpr std::size_t kBorrowMessage = 16 * 1024;
  // A batch that is this long, or has this many pieces, is sent early.
  static constexpr std::size_t kFlushSize = 64 * 1024;
  static constexpr std::size_t kFlushPieces = 64;

  Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // For encoders: `bytes` may die as soon as append() returns, unless they are
  // part of the message being encoded.
  void append(std::string_view bytes) {
    if (bytes.size() < kBorrowInput && bytes.size() <= capacity_ - used_) {
      copy(bytes);
    } else {
      appendLarge(bytes);
    }
  }
  void append(char byte) {
    if (used_ == capacity_) grow(1);
    buffer_[used_++] = byte;
    ++size_;
  }

  // The same for an encoder that writes its bytes in place: `size` bytes of
  // room, until the next call of another function, and how many of them it
  // took.
  char* room(std::size_t size) {
    if (size > capacity_ - used_) [[unlikely]]
      grow(size);
    return buffer_.get() + used_;
  }
  void commit(std::size_t size) {
    used_ += size;
    size_ += size;
  }

  // The rest is for the connection that encodes into it.

  // Bytes within `input` stay as they are until clear().
  void setInput(std::string_view input) { input_ = input; }
  // Bytes within `message` stay as they are until the caller of send() gets
  // control back: when borrowsMessage(), send or copy them before that.
  void setMessage(std::string_view message) { message_ = message; }
  bool borrowsMessage() const { return borrowsMessage_; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool wantsFlush() const {
    return borrowsMessage_ || size_ >= kFlushSize ||
           pieces_.size() >= kFlushPieces;
  }

  // The bytes in order, valid until the next call of another function.
  std::span<const iovec> pieces() {
    if (!simple()) [[unlikely]]
      return closedPieces();
    only_ = {buffer_.get(), used_};
    return {&only_, used_ == 0 ? std::size_t{0} : std::size_t{1}};
  }

  // Forgets the bytes behind the first `size`: of an encoder that threw.
  // Allocates nothing; a buffer that they made it take stays until
  // forgetBytes().
  void truncate(std::size_t size);

  // Forgets the bytes; the input stays what it is.
  void forgetBytes() {
    if (!simple()) [[unlikely]]
      forgetPieces();
    used_ = size_ = 0;
    message_ = {};
  }
  // Forgets the input as well.
  void clear() {
    forgetBytes();
    input_ = {};
  }

 private:
  // Room for a batch that is flushed at kFlushSize after the message that
  // crosses it, when that message is too small to be borrowed.
  static constexpr std::size_t kCapacity = kFlushSize + kBorrowMessage;

  // All bytes are in the usual buffer, as nearly always.
  bool simple() const { return pieces_.empty() && capacity_ == kCapacity; }
  void copy(std::string_view bytes) {
    // memcpy(3) wants valid pointers even for no bytes.
    if (bytes.empty()) return;
    std::memcpy(buffer_.get() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    size_ += bytes.size();
  }
  void appendLarge(std::string_view bytes);
  [[gnu::cold]] void grow(std::size_t bytes);
  void borrow(std::string_view bytes);
  void closeCopied();
  void dropBack(std::size_t bytes);
  std::span<const iovec> closedPieces();
  void forgetPieces();

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  std::size_t used_ = 0;    // bytes of buffer_ that are taken
  std::size_t closed_ = 0;  // bytes of buffer_ that pieces_ knows
  std::size_t size_ = 0;    // all bytes gathered
  bool borrowsMessage_ = false;
  std::string_view input_;
  std::string_view message_;
  std::vector<iovec> pieces_;
  iovec only_{};  // pieces() of a simple one
  // Full buffers of a batch that outgrew one; freed by forgetBytes().
  std::vector<std::unique_ptr<char[]>> full_;
};

}  // namespace brigade
