#pragma once

// ReadyList: what one wait found ready, and the watchers of that called one
// after the other. A backend first gathers all of it and then leaves: between
// two watchers runs none of the backend's code, and the next watcher is on its
// way into the cache while this one works. What a watcher takes back, of any
// descriptor, is not delivered. 4 bytes a descriptor number, 16 more of address
// space, and of memory when so many are ready at once.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "brigade/Events/EventInterface.h"

namespace brigade::detail {

class ReadyList {
 public:
  // Before `fd` can be ready; throws std::bad_alloc when there is none.
  void makeRoom(int fd);
  // At most once for a descriptor, and not while the list is being delivered.
  void add(int fd, Watcher& watcher, Ready ready) noexcept {
    places_[static_cast<std::size_t>(fd)] =
        static_cast<std::uint32_t>(entries_.size());
    assert(entries_.size() < entries_.capacity() && "makeRoom() saw to it");
    // Without a way to grow this is short enough to be part of its caller.
    if (entries_.size() == entries_.capacity()) __builtin_unreachable();
    entries_.push_back({&watcher, fd, ready});
  }

  // What is still to be delivered of `fd`: nothing, or no more than `interest`.
  void forget(int fd);
  void narrow(int fd, Interest interest);

  // Calls `call(watcher, ready)` for the watcher of `first`, if it is ready,
  // then for all others in the order in which they came.
  template <typename Call>
  void deliver(int first, Call call) {
    if (Entry* const entry = find(first)) pass(*entry, call);
    // A watcher may clear the list.
    while (next_ < entries_.size()) {
      Entry& entry = entries_[next_++];
      if (next_ < entries_.size()) prefetch(entries_[next_].watcher);
      pass(entry, call);
    }
    clear();
  }

  void clear() {
    entries_.clear();
    next_ = 0;
  }

 private:
  struct Entry {
    Watcher* watcher;  // nullptr: taken back, or delivered
    int fd;
    Ready ready;
  };

  Entry* find(int fd);

  template <typename Call>
  static void pass(Entry& entry, Call& call) {
    Watcher* const watcher = entry.watcher;
    if (watcher == nullptr) return;
    entry.watcher = nullptr;
    call(*watcher, entry.ready);
  }

  // Two lines: which functions it has, and what they need first.
  static void prefetch(const Watcher* watcher) {
    const auto address = reinterpret_cast<std::uintptr_t>(watcher);
    __builtin_prefetch(reinterpret_cast<const void*>(address));
    __builtin_prefetch(reinterpret_cast<const void*>(address + 64));
  }

  std::vector<Entry> entries_;
  std::size_t next_ = 0;
  // By descriptor: where in entries_ it may be.
  std::vector<std::uint32_t> places_;
};

}  // namespace brigade::detail
