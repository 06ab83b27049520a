#include "brigade/Protocol/Output.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace brigade {
namespace {

// Room for a batch that is flushed at kFlushSize after the message that
// crosses it, when that message is too small to be borrowed.
constexpr std::size_t kCapacity = Output::kFlushSize + Output::kBorrowMessage;

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

void Output::copy(std::string_view bytes) {
  std::memcpy(buffer_.get() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
  size_ += bytes.size();
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
  if (bytes.size() > capacity_ - used_) {
    closeCopied();
    full_.push_back(std::move(buffer_));
    capacity_ = std::max(kCapacity, 2 * bytes.size());
    buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
    used_ = closed_ = 0;
  }
  copy(bytes);
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

std::span<const iovec> Output::pieces() {
  closeCopied();
  return pieces_;
}

void Output::forgetBytes() {
  if (capacity_ != kCapacity) {
    capacity_ = kCapacity;
    buffer_ = full_.empty() ? std::make_unique_for_overwrite<char[]>(kCapacity)
                            : std::move(full_.front());
  }
  full_.clear();
  pieces_.clear();
  used_ = closed_ = size_ = 0;
  borrowsMessage_ = false;
  message_ = {};
}

}  // namespace brigade
