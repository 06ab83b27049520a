#include "brigade/Connection/detail/SendQueue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace brigade::detail {
namespace {

// Enough for a socket buffer of 1 MiB in small blocks.
constexpr std::size_t kFrontPieces = 64;

}  // namespace

void SendQueue::append(std::span<const iovec> pieces, std::size_t skip) {
  for (const iovec& piece : pieces) {
    const std::size_t skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    append(static_cast<const char*>(piece.iov_base) + skipped,
           piece.iov_len - skipped);
  }
}

void SendQueue::append(const char* data, std::size_t size) {
  size_ += size;
  while (size > 0) {
    // A file's block has no capacity: it is always full.
    if (blocks_.empty() || blocks_.back().end >= blocks_.back().capacity) {
      const std::size_t capacity = std::max(kBlock, size);
      blocks_.push_back(
          {std::make_unique_for_overwrite<char[]>(capacity), capacity});
    }
    Block& block = blocks_.back();
    const std::size_t part = std::min(size, block.capacity - block.end);
    std::memcpy(block.data.get() + block.end, data, part);
    block.end += part;
    data += part;
    size -= part;
  }
}

void SendQueue::append(std::shared_ptr<const FileDescriptor> file, off_t offset,
                       std::size_t size) {
  const auto begin = static_cast<std::size_t>(offset);
  blocks_.push_back({nullptr, 0, begin, begin + size, std::move(file)});
}

std::optional<SendQueue::FilePart> SendQueue::frontFile() const {
  if (blocks_.empty() || !blocks_.front().file) return std::nullopt;
  const Block& block = blocks_.front();
  return FilePart{block.file->get(), static_cast<off_t>(block.begin),
                  block.end - block.begin};
}

std::span<const iovec> SendQueue::front() {
  front_.clear();
  for (const Block& block : blocks_) {
    if (front_.size() == kFrontPieces || block.file) break;
    front_.push_back({block.data.get() + block.begin, block.end - block.begin});
  }
  return front_;
}

void SendQueue::consume(std::size_t bytes) {
  if (!blocks_.front().file) size_ -= bytes;
  while (bytes > 0) {
    Block& block = blocks_.front();
    const std::size_t part = std::min(bytes, block.end - block.begin);
    block.begin += part;
    bytes -= part;
    if (block.begin == block.end) blocks_.pop_front();
  }
}

std::size_t SendQueue::length() const {
  std::size_t sum = 0;
  for (const Block& block : blocks_) sum += block.end - block.begin;
  return sum;
}

std::string SendQueue::copy() const {
  std::string bytes;
  bytes.reserve(size_);
  for (const Block& block : blocks_) {
    if (block.file) continue;
    bytes.append(block.data.get() + block.begin, block.end - block.begin);
  }
  return bytes;
}

void SendQueue::truncate(std::size_t length) {
  for (std::size_t behind = this->length() - length; behind > 0;) {
    Block& block = blocks_.back();
    const std::size_t part = std::min(behind, block.end - block.begin);
    block.end -= part;
    behind -= part;
    if (!block.file) size_ -= part;
    if (block.begin == block.end) blocks_.pop_back();
  }
}

}  // namespace brigade::detail
