#include "brigade/Events/EpollLoop.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace brigade {
namespace {

std::uint64_t keyOf(int fd, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

bool includes(Interest interest, Interest part) {
  const auto bits = static_cast<unsigned>(part);
  return (static_cast<unsigned>(interest) & bits) == bits;
}

std::uint32_t eventsFor(Interest interest) {
  std::uint32_t events = 0;
  if (includes(interest, Interest::kRead)) events |= EPOLLIN;
  if (includes(interest, Interest::kWrite)) events |= EPOLLOUT;
  if (interest == Interest::kAccept) events |= EPOLLEXCLUSIVE;
  return events;
}

}  // namespace

EpollLoop::EpollLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) {
    throw std::system_error(errno, std::system_category(), "epoll_create1");
  }
}

EpollLoop::~EpollLoop() { dropCallbacks(); }

void EpollLoop::add(int fd, Interest interest, Watcher& watcher) {
  Registration next = find(fd);
  const bool known = next.watcher != nullptr;
  if (known && next.watcher == &watcher && next.interest == interest) return;
  // A change of interest alone leaves what this turn has seen valid.
  if (next.watcher != &watcher) ++next.generation;
  next.watcher = &watcher;
  next.interest = interest;

  epoll_event event{};
  event.events = eventsFor(interest);
  event.data.u64 = keyOf(fd, next.generation);
  if (::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
                  &event) != 0) {
    throw std::system_error(errno, std::system_category(),
                            "watch descriptor " + std::to_string(fd));
  }
  const auto index = static_cast<std::size_t>(fd);
  if (index >= registrations_.size()) registrations_.resize(index + 1);
  registrations_[index] = next;
  if (!known) ++watchedCount_;
}

void EpollLoop::del(int fd) {
  if (find(fd).watcher == nullptr) return;
  registrations_[static_cast<std::size_t>(fd)].watcher = nullptr;
  --watchedCount_;
  // epoll(7), questions and answers 6: closing is not enough while another
  // process holds the same open file.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EpollLoop::addFirst(int fd, Watcher& watcher) {
  add(fd, Interest::kRead, watcher);
  firstKey_ = keyOf(fd, find(fd).generation);
}

void EpollLoop::poll(Wait wait) {
  if (hasPulse()) fallAsleep();
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(kMaxEvents),
                   wait == Wait::kNot ? 0 : -1);
  if (hasPulse()) wakeUp();
  if (count < 0) {
    if (errno == EINTR) return;
    throw std::system_error(errno, std::system_category(), "epoll_wait");
  }
  const auto ready = static_cast<std::size_t>(count);
  alarmToFront(ready);
  for (std::size_t i = 0; i < ready; ++i) deliver(events_[i]);
}

void EpollLoop::alarmToFront(std::size_t count) {
  const auto end = events_.begin() + static_cast<std::ptrdiff_t>(count);
  const auto alarm = std::find_if(
      events_.begin(), end,
      [this](const epoll_event& event) { return event.data.u64 == firstKey_; });
  if (alarm != end) std::iter_swap(events_.begin(), alarm);
}

void EpollLoop::deliver(const epoll_event& event) {
  const Registration to = find(static_cast<int>(event.data.u64 & UINT32_MAX));
  // Deleted or replaced by a watcher that ran before in this turn.
  if (to.watcher == nullptr || to.generation != event.data.u64 >> 32) return;
  const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  const Ready ready{.read = includes(to.interest, Interest::kRead) &&
                            (broken || (event.events & EPOLLIN) != 0),
                    .write = includes(to.interest, Interest::kWrite) &&
                             (broken || (event.events & EPOLLOUT) != 0)};
  if (!ready.read && !ready.write) return;
  guarded([&] { to.watcher->onReady(ready); });
}

EpollLoop::Registration EpollLoop::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return index < registrations_.size() ? registrations_[index] : Registration{};
}

}  // namespace brigade
