#include "brigade/Events/detail/ReadyList.h"

#include <algorithm>

namespace brigade::detail {

void ReadyList::makeRoom(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index < places_.size()) return;
  entries_.reserve(std::max(index + 1, 2 * places_.size()));
  places_.resize(index + 1);
}

void ReadyList::forget(int fd) {
  if (Entry* const entry = find(fd)) entry->watcher = nullptr;
}

void ReadyList::narrow(int fd, Interest interest) {
  Entry* const entry = find(fd);
  if (entry == nullptr) return;
  const auto bits = static_cast<unsigned>(interest);
  entry->ready.read = entry->ready.read && (bits & 1) != 0;
  entry->ready.write = entry->ready.write && (bits & 2) != 0;
  if (!entry->ready.read && !entry->ready.write) entry->watcher = nullptr;
}

ReadyList::Entry* ReadyList::find(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= places_.size()) return nullptr;
  const std::size_t place = places_[index];
  if (place >= entries_.size() || entries_[place].fd != fd) return nullptr;
  return &entries_[place];
}

}  // namespace brigade::detail
