#include "brigade/Connection/detail/LingeringClose.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <iterator>

namespace brigade::detail {
namespace {

constexpr std::chrono::seconds kLinger{2};
// A peer that sends more than this after the end does not listen anyway.
constexpr std::size_t kMaxWaste = 1024 * 1024;

}  // namespace

class LingeringSockets::Socket final : private Watcher,
                                       private TimingWheel::Entry {
 public:
  Socket(LingeringSockets& owner, FileDescriptor fd)
      : owner_(owner), fd_(std::move(fd)) {
    ::shutdown(fd_.get(), SHUT_WR);
    owner_.loop_.add(fd_.get(), Interest::kRead, *this);
    owner_.wheel_.set(*this, kLinger);
  }
  ~Socket() { owner_.loop_.del(fd_.get()); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  std::list<std::unique_ptr<Socket>>::iterator
      place;  // its own, in the owner's list

 private:
  void onReady(Ready) override {
    char waste[16 * 1024];
    const ssize_t n = ::recv(fd_.get(), waste, sizeof waste, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) wasted_ += static_cast<std::size_t>(n);
    if (n <= 0 || wasted_ > kMaxWaste) forget();
  }
  void onTimeout() override { forget(); }
  void forget() { owner_.sockets_.erase(place); }

  LingeringSockets& owner_;
  FileDescriptor fd_;
  std::size_t wasted_ = 0;
};

LingeringSockets::LingeringSockets(EventInterface& loop, TimingWheel& wheel)
    : loop_(loop), wheel_(wheel) {}

LingeringSockets::~LingeringSockets() = default;

void LingeringSockets::add(FileDescriptor socket) {
  sockets_.push_back(std::make_unique<Socket>(*this, std::move(socket)));
  sockets_.back()->place = std::prev(sockets_.end());
}

}  // namespace brigade::detail
