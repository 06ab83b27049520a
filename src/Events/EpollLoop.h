#pragma once

// EpollLoop: epoll(7) directly. Against LibevLoop it has EPOLLEXCLUSIVE, so
// that one connection wakes one of the processes that share a listener, and
// an explicit EPOLL_CTL_DEL, so that a descriptor which another process still
// holds cannot wake this one. Costs 20 bytes a descriptor number.

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "brigade/Events/FileDescriptor.h"
#include "brigade/Events/detail/LoopBase.h"

namespace brigade {

class EpollLoop final : public detail::LoopBase {
 public:
  static constexpr std::string_view kName = "epoll";

  // Throws std::system_error.
  EpollLoop();
  ~EpollLoop() override;

  using LoopBase::add;
  using LoopBase::del;
  void add(int fd, Interest interest, Watcher& watcher) override;
  void del(int fd) override;
  std::string_view name() const override { return kName; }

 private:
  // `generation` tells an event of this registration from one of a file that
  // had the number before and lives on in another process.
  struct Registration {
    Watcher* watcher = nullptr;
    std::uint32_t generation = 0;
    Interest interest = Interest::kRead;
  };
  static_assert(sizeof(Registration) == 16);

  void poll(Wait wait) override;
  std::size_t watchedCount() const override { return watchedCount_; }
  void closeInChild() override { epoll_.reset(); }

  Registration find(int fd) const;
  void makeRoom(int fd);
  void gather(const epoll_event& event);

  // Bounds how long a turn keeps timers waiting; the kernel hands out the
  // rest in the next one, in turn.
  static constexpr std::size_t kMaxEvents = 512;

  FileDescriptor epoll_;
  std::vector<Registration> registrations_;  // Index: the descriptor.
  std::size_t watchedCount_ = 0;
  std::array<epoll_event, kMaxEvents> events_;
};

}  // namespace brigade
