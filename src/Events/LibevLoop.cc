#include "brigade/Events/LibevLoop.h"

#include <ev.h>
#include <fcntl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace brigade {
namespace {

struct Backend {
  std::string_view name;
  unsigned flag;
};

constexpr std::array kBackends{
    Backend{LibevLoop::kName, EVFLAG_AUTO},
    Backend{"select", EVBACKEND_SELECT},
    Backend{"poll", EVBACKEND_POLL},
    Backend{"linuxaio", EVBACKEND_LINUXAIO},
    Backend{"iouring", EVBACKEND_IOURING},
};

struct LoopDeleter {
  void operator()(struct ev_loop* loop) const { ev_loop_destroy(loop); }
};
using LoopPointer = std::unique_ptr<struct ev_loop, LoopDeleter>;

// libev answers a backend that it was built without, or that the kernel
// refuses, with no loop.
LoopPointer makeLoop(unsigned flag) {
  constexpr unsigned kFlags =
      EVFLAG_NOENV | EVFLAG_NOSIGMASK | EVFLAG_NOINOTIFY | EVFLAG_NOTIMERFD;
  return LoopPointer(ev_loop_new(flag | kFlags));
}

// Asks the kernel with arguments that it refuses: to make and close a ring
// would interrupt the waits of this process for the next 30 ms.
bool isAvailable(unsigned flag) {
  // "The best one" is always there: in the end it is select.
  if (flag == EVFLAG_AUTO) return true;
  if ((ev_supported_backends() & flag) == 0) return false;
  long result = 0;
  if (flag == EVBACKEND_IOURING) {
    result = ::syscall(SYS_io_uring_setup, 0, nullptr);
  } else if (flag == EVBACKEND_LINUXAIO) {
    result = ::syscall(SYS_io_setup, 0, nullptr);
  }
  return result == 0 || (errno != ENOSYS && errno != EPERM);
}

int eventsFor(Interest interest) {
  switch (interest) {
    case Interest::kRead:
    case Interest::kAccept:
      return EV_READ;
    case Interest::kWrite:
      return EV_WRITE;
    case Interest::kReadWrite:
      break;
  }
  return EV_READ | EV_WRITE;
}

[[noreturn]] void refuse(int fd, int error, std::string_view why = {}) {
  throw std::system_error(
      error, std::system_category(),
      "watch descriptor " + std::to_string(fd) + std::string(why));
}

}  // namespace

struct LibevLoop::State {
  // Watchers stay where they are, as libev demands, while the table grows;
  // indexed by descriptor, for the kernel hands out the lowest free number.
  static constexpr std::size_t kChunk = 64;
  using Chunk = std::array<ev_io, kChunk>;

  State(LoopPointer loop, const Backend& chosen)
      : libev(std::move(loop)), backend(chosen) {}

  ev_io* find(int fd) const;
  ev_io& at(int fd);
  void start(int fd, Interest interest, Watcher& watcher);
  void change(ev_io& io, Interest interest, Watcher& watcher);
  bool accepts(int fd) const {
    return std::find(acceptors.begin(), acceptors.end(), fd) != acceptors.end();
  }
  static LibevLoop& loopOf(struct ev_loop* libev);
  static void onReady(struct ev_loop* libev, ev_io* io, int events) noexcept;
  static void onSleep(struct ev_loop* libev) noexcept;
  static void onWake(struct ev_loop* libev) noexcept;

  LoopPointer libev;
  const Backend& backend;
  std::vector<std::unique_ptr<Chunk>> chunks;
  std::vector<int> acceptors;
  std::size_t watchedCount = 0;
};

// nullptr when `fd` is not watched.
ev_io* LibevLoop::State::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd);
  if (index / kChunk >= chunks.size()) return nullptr;
  const auto& chunk = chunks[index / kChunk];
  if (chunk == nullptr) return nullptr;
  ev_io& io = (*chunk)[index % kChunk];
  return ev_is_active(&io) ? &io : nullptr;
}

ev_io& LibevLoop::State::at(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index / kChunk >= chunks.size()) chunks.resize(index / kChunk + 1);
  auto& chunk = chunks[index / kChunk];
  if (chunk == nullptr) chunk = std::make_unique<Chunk>();
  return (*chunk)[index % kChunk];
}

void LibevLoop::State::start(int fd, Interest interest, Watcher& watcher) {
  ev_io& io = at(fd);
  if (interest == Interest::kAccept) acceptors.push_back(fd);
  ev_io_init(&io, &State::onReady, fd, eventsFor(interest));
  io.data = &watcher;
  ev_io_start(libev.get(), &io);
  ++watchedCount;
}

void LibevLoop::State::change(ev_io& io, Interest interest, Watcher& watcher) {
  const int events = io.events & (EV_READ | EV_WRITE);
  const bool accepting = accepts(io.fd);
  if (io.data == &watcher && events == eventsFor(interest) &&
      accepting == (interest == Interest::kAccept)) {
    return;
  }
  // As epoll_ctl(2) for EPOLLEXCLUSIVE, to be the same in every backend.
  if (accepting || interest == Interest::kAccept)
    refuse(io.fd, EINVAL, " twice");
  ev_io_stop(libev.get(), &io);
  ev_io_modify(&io, eventsFor(interest));
  io.data = &watcher;
  ev_io_start(libev.get(), &io);
}

LibevLoop& LibevLoop::State::loopOf(struct ev_loop* libev) {
  return *static_cast<LibevLoop*>(ev_userdata(libev));
}

void LibevLoop::State::onReady(struct ev_loop* libev, ev_io* io,
                               int events) noexcept {
  // The kernel refused the descriptor (ENOMEM, ENOSPC): libev has stopped
  // watching and reports every direction. Try again, rather than forget it.
  if ((events & EV_ERROR) != 0) ev_io_start(libev, io);
  const int wanted = events & io->events;
  const Ready ready{.read = (wanted & EV_READ) != 0,
                    .write = (wanted & EV_WRITE) != 0};
  loopOf(libev).ready().add(io->fd, *static_cast<Watcher*>(io->data), ready);
}

void LibevLoop::State::onSleep(struct ev_loop* libev) noexcept {
  loopOf(libev).fallAsleep();
}

void LibevLoop::State::onWake(struct ev_loop* libev) noexcept {
  loopOf(libev).wakeUp();
}

std::unique_ptr<LibevLoop> LibevLoop::make(std::string_view name) {
  const auto* const backend =
      std::find_if(kBackends.begin(), kBackends.end(),
                   [&](const Backend& one) { return one.name == name; });
  if (backend == kBackends.end()) return nullptr;
  LoopPointer libev = makeLoop(backend->flag);
  if (libev == nullptr) return nullptr;
  auto state = std::make_unique<State>(std::move(libev), *backend);
  return std::unique_ptr<LibevLoop>(new LibevLoop(std::move(state)));
}

std::vector<std::string> LibevLoop::availableNames() {
  std::vector<std::string> names;
  for (const Backend& backend : kBackends) {
    if (isAvailable(backend.flag)) names.emplace_back(backend.name);
  }
  return names;
}

LibevLoop::LibevLoop(std::unique_ptr<State> state) : state_(std::move(state)) {
  ev_set_userdata(state_->libev.get(), this);
}

LibevLoop::~LibevLoop() { dropCallbacks(); }

// libev would find out in the middle of a turn, and abort.
void LibevLoop::add(int fd, Interest interest, Watcher& watcher) {
  if (state_->find(fd) == nullptr && ::fcntl(fd, F_GETFD) < 0) {
    refuse(fd, EBADF);
  }
  put(fd, interest, watcher);
}

void LibevLoop::add(const FileDescriptor& fd, Interest interest,
                    Watcher& watcher) {
  put(fd.get(), interest, watcher);
}

void LibevLoop::put(int fd, Interest interest, Watcher& watcher) {
  if (ev_io* const io = state_->find(fd)) {
    const bool sameWatcher = io->data == &watcher;
    state_->change(*io, interest, watcher);
    if (sameWatcher) {
      ready().narrow(fd, interest);
    } else {
      ready().forget(fd);
    }
  } else {
    if (fd < 0) refuse(fd, EBADF);
    if (state_->backend.flag == EVBACKEND_SELECT && fd >= FD_SETSIZE) {
      refuse(fd, EINVAL, ": select(2) knows those below 1024 only");
    }
    ready().makeRoom(fd);
    state_->start(fd, interest, watcher);
  }
}

void LibevLoop::del(int fd) {
  ev_io* const io = state_->find(fd);
  if (io == nullptr) return;
  ready().forget(fd);
  ev_io_stop(state_->libev.get(), io);
  std::erase(state_->acceptors, fd);
  --state_->watchedCount;
}

void LibevLoop::poll(Wait wait) {
  ev_run(state_->libev.get(), wait == Wait::kNot ? EVRUN_NOWAIT : EVRUN_ONCE);
}

std::size_t LibevLoop::watchedCount() const { return state_->watchedCount; }

void LibevLoop::closeInChild() { state_->libev.reset(); }

std::string_view LibevLoop::name() const { return state_->backend.name; }

void LibevLoop::setPulse(Pulse& pulse) {
  LoopBase::setPulse(pulse);
  ev_set_loop_release_cb(state_->libev.get(), &State::onSleep, &State::onWake);
}

}  // namespace brigade
