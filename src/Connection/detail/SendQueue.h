#pragma once

// SendQueue: the bytes that a peer has not taken yet, in order. A connection
// has one only while something waits. Memory follows the bytes: small pieces
// fill blocks of 16 KiB, large ones get a block of their own size, and parts of
// files take none.

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade::detail {

class SendQueue {
 public:
  static constexpr std::size_t kBlock = 16 * 1024;

  // Copies the pieces, without their first `skip` bytes.
  void append(std::span<const iovec> pieces, std::size_t skip);

  void append(std::shared_ptr<const FileDescriptor> file, off_t offset,
              std::size_t size);

  // Part of an open file.
  struct FilePart {
    int file;
    off_t offset;
    std::size_t size;
  };
  // When the first bytes are a file's; else front() has them.
  std::optional<FilePart> frontFile() const;
  // The first bytes in order, as many as one system call takes well; valid
  // until the next call of another function.
  std::span<const iovec> front();
  // Forgets the first `bytes`, all of memory or all of one file.
  void consume(std::size_t bytes);

  // Forgets what stands behind the first `length` bytes.
  void truncate(std::size_t length);

  // Bytes in memory: those of files do not count.
  std::size_t size() const { return size_; }
  // All of them; looks at each block.
  std::size_t length() const;
  bool empty() const { return blocks_.empty(); }
  // The bytes in memory, for another process.
  std::string copy() const;

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t capacity;
    std::size_t begin = 0;
    std::size_t end = 0;
    // Then begin and end are offsets in it.
    std::shared_ptr<const FileDescriptor> file = {};
  };

  void append(const char* data, std::size_t size);

  std::deque<Block> blocks_;
  std::size_t size_ = 0;
  std::vector<iovec> front_;
};

}  // namespace brigade::detail
