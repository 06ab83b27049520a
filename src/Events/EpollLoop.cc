#include "brigade/Events/EpollLoop.h"

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
  const bool sameWatcher = next.watcher == &watcher;
  if (sameWatcher && next.interest == interest) return;
  if (!known) ++next.generation;
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
  if (!known) {
    makeRoom(fd);
    ++watchedCount_;
  } else if (sameWatcher) {
    ready().narrow(fd, interest);
  } else {
    ready().forget(fd);
  }
  registrations_[static_cast<std::size_t>(fd)] = next;
}

void EpollLoop::makeRoom(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  try {
    if (index >= registrations_.size()) registrations_.resize(index + 1);
    ready().makeRoom(fd);
  } catch (...) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    throw;
  }
}

void EpollLoop::del(int fd) {
  if (find(fd).watcher == nullptr) return;
  registrations_[static_cast<std::size_t>(fd)].watcher = nullptr;
  ready().forget(fd);
  --watchedCount_;
  // epoll(7), questions and answers 6: closing is not enough while another
  // process holds the same open file.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
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
  const auto found = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < found; ++i) gather(events_[i]);
}

void EpollLoop::gather(const epoll_event& event) {
  const int fd = static_cast<int>(event.data.u64 & UINT32_MAX);
  const Registration to = find(fd);
  if (to.watcher == nullptr || to.generation != event.data.u64 >> 32) return;
  const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  const Ready state{.read = includes(to.interest, Interest::kRead) &&
                            (broken || (event.events & EPOLLIN) != 0),
                    .write = includes(to.interest, Interest::kWrite) &&
                             (broken || (event.events & EPOLLOUT) != 0)};
  if (state.read || state.write) ready().add(fd, *to.watcher, state);
}

EpollLoop::Registration EpollLoop::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  return index < registrations_.size() ? registrations_[index] : Registration{};
}

}  // namespace brigade
