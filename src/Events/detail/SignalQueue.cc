#include "brigade/Events/detail/SignalQueue.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace brigade::detail {
namespace {

void changeMask(int how, int number) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  ::pthread_sigmask(how, &one, nullptr);
}

[[noreturn]] void refuse(int number, int error) {
  throw std::system_error(error, std::system_category(),
                          "watch signal " + std::to_string(number));
}

}  // namespace

SignalQueue::SignalQueue() { sigemptyset(&mask_); }

SignalQueue::~SignalQueue() { clear(); }

void SignalQueue::add(int number, Callback callback) {
  // signalfd(2): these two are ignored in a mask, silently.
  if (number == SIGKILL || number == SIGSTOP) refuse(number, EINVAL);
  if (sigaddset(&mask_, number) != 0) refuse(number, errno);
  watch();
  changeMask(SIG_BLOCK, number);
  callbacks_[number] = std::make_shared<const Callback>(std::move(callback));
}

void SignalQueue::del(int number) {
  const auto found = callbacks_.find(number);
  if (found == callbacks_.end()) return;
  // Dies at the end of this function: its destructor may come back here.
  const auto doomed = std::move(found->second);
  callbacks_.erase(found);
  sigdelset(&mask_, number);
  if (fd_) watch();
  changeMask(SIG_UNBLOCK, number);
}

void SignalQueue::clear() {
  while (!callbacks_.empty()) del(callbacks_.begin()->first);
}

void SignalQueue::receive() {
  next_ = receivedCount_ = 0;
  const ssize_t size = ::read(fd_.get(), received_.data(), sizeof(received_));
  if (size > 0) {
    receivedCount_ = static_cast<std::size_t>(size) / sizeof(received_[0]);
  }
}

bool SignalQueue::runNext() {
  if (next_ == receivedCount_) return false;
  const int number = static_cast<int>(received_[next_++].ssi_signo);
  const auto found = callbacks_.find(number);
  if (found == callbacks_.end()) return true;
  const auto callback = found->second;
  (*callback)();
  return true;
}

void SignalQueue::watch() {
  const int fd = ::signalfd(fd_.get(), &mask_, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::system_category(), "signalfd");
  if (!fd_) fd_.reset(fd);
}

}  // namespace brigade::detail
