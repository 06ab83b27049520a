#include "brigade/Protocol/Output.h"

#include <algorithm>
#include <functional>

namespace brigade {
namespace {

bool within(std::string_view part, std::string_view whole) {
  const std::less_equal<const char*> notAfter;
  return !part.empty() && notAfter(whole.data(), part.data()) &&
         notAfter(part.data() + part.size(), whole.data() + whole.size());
}

}  // namespace

Output::Output()
    : buffer_(std::make_unique_for_overwrite<char[]>(kCapacity)),
      capacity_(kCapacity) {
  pieces_.reserve(2 * kFlushPieces);
}

void Output::appendLarge(std::string_view bytes) {
  if (bytes.size() >= kBorrowInput && within(bytes, input_)) {
    borrow(bytes);
    return;
  }
  if (bytes.size() >= kBorrowMessage && within(bytes, message_)) {
    borrowsMessage_ = true;
    borrow(bytes);
    return;
  }
  if (bytes.size() > capacity_ - used_) grow(bytes.size());
  copy(bytes);
}

void Output::grow(std::size_t bytes) {
  const std::size_t capacity = std::max(kCapacity, bytes);
  auto buffer = std::make_unique_for_overwrite<char[]>(capacity);
  closeCopied();
  full_.push_back(std::move(buffer_));
  buffer_ = std::move(buffer);
  capacity_ = capacity;
  used_ = closed_ = 0;
}

void Output::borrow(std::string_view bytes) {
  closeCopied();
  pieces_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
  size_ += bytes.size();
}

void Output::closeCopied() {
  if (used_ == closed_) return;
  pieces_.push_back({buffer_.get() + closed_, used_ - closed_});
  closed_ = used_;
}

std::span<const iovec> Output::closedPieces() {
  closeCopied();
  return pieces_;
}

void Output::truncate(std::size_t size) {
  if (size == 0) {
    forgetPieces();
    forgetBytes();
    return;
  }
  const std::size_t open = std::min(size_ - size, used_ - closed_);
  used_ -= open;
  size_ -= open;
  while (size_ > size) dropBack(size_ - size);
  // What borrows a message is sent before the next one comes.
  borrowsMessage_ = false;
  message_ = {};
}

// At most `bytes` of the last piece, when nothing stands behind it.
void Output::dropBack(std::size_t bytes) {
  iovec& last = pieces_.back();
  const std::size_t cut = std::min(last.iov_len, bytes);
  const char* const end = static_cast<char*>(last.iov_base) + last.iov_len;
  if (end == buffer_.get() + closed_) used_ = closed_ -= cut;
  last.iov_len -= cut;
  size_ -= cut;
  if (last.iov_len == 0) pieces_.pop_back();
}

void Output::forgetPieces() {
  if (capacity_ != kCapacity) {
    // The first buffer is full_.front(): it has the usual size.
    buffer_ = std::move(full_.front());
    capacity_ = kCapacity;
  }
  full_.clear();
  pieces_.clear();
  closed_ = 0;
  borrowsMessage_ = false;
}

}  // namespace brigade
