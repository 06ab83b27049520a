#include "brigade/Connection/detail/ReceiveTail.h"

#include <algorithm>
#include <cstring>

namespace brigade::detail {
namespace {

// One receive into a tail takes at least this much, so that a long message
// arrives in few system calls.
constexpr std::size_t kMinSpare = 16 * 1024;

}  // namespace

void ReceiveTail::assign(std::string_view bytes) {
  if (bytes.size() > capacity_) {
    const std::size_t capacity = std::max(kShort, bytes.size());
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    std::memcpy(data.get(), bytes.data(), bytes.size());
    data_ = std::move(data);
    capacity_ = capacity;
  } else if (!bytes.empty()) {
    std::memmove(data_.get(), bytes.data(), bytes.size());
  }
  begin_ = 0;
  end_ = bytes.size();
}

void ReceiveTail::reserve() {
  const std::size_t missing = expected_ > size() ? expected_ - size() : 0;
  // Moving costs as much as there are bytes: only when little room is left.
  std::size_t enough = std::min(kMinSpare, size() / 8 + 1);
  if (missing != 0) enough = std::min(enough, missing);
  if (spareSize() >= enough) return;
  const std::size_t growth = missing == 0 ? size() : std::min(missing, size());
  move(size() + std::max(kMinSpare, growth));
}

void ReceiveTail::move(std::size_t capacity) {
  auto data = std::make_unique_for_overwrite<char[]>(capacity);
  std::memcpy(data.get(), data_.get() + begin_, size());
  data_ = std::move(data);
  end_ = size();
  begin_ = 0;
  capacity_ = capacity;
}

}  // namespace brigade::detail
