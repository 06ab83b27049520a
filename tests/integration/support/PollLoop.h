#pragma once

// PollLoop: an event loop over poll(2) as a program may bring it, made of
// nothing but the contract of EventInterface.h. It is for few descriptors: each
// turn goes over all of them.

#include <brigade/brigade.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace brigade::test {

class PollLoop final : public EventInterface {
 public:
  PollLoop() {
    ::sigemptyset(&mask_);
    signalFd_.reset(::signalfd(-1, &mask_, SFD_NONBLOCK | SFD_CLOEXEC));
  }
  ~PollLoop() override { ::sigprocmask(SIG_UNBLOCK, &mask_, nullptr); }

  using EventInterface::add;
  void add(int fd, Interest interest, Watcher& watcher) override {
    watched_[fd] = {static_cast<unsigned>(interest), &watcher, ++additions_};
  }
  void del(int fd) override { watched_.erase(fd); }

  TimerId add(Clock::duration delay, Repeat repeat,
              Callback callback) override {
    const auto id = static_cast<TimerId>(++additions_);
    const bool every = repeat == Repeat::kEvery;
    timers_[id] = {Clock::now() + delay,
                   every ? delay : Clock::duration::zero(),
                   std::move(callback)};
    return id;
  }
  void del(TimerId timer) override { timers_.erase(timer); }

  void add(Signal signal, Callback callback) override {
    signals_[signal.number] = std::move(callback);
    ::sigaddset(&mask_, signal.number);
    ::signalfd(signalFd_.get(), &mask_, 0);
    ::sigprocmask(SIG_BLOCK, &mask_, nullptr);
  }
  void del(Signal signal) override {
    signals_.erase(signal.number);
    ::sigdelset(&mask_, signal.number);
    ::signalfd(signalFd_.get(), &mask_, 0);
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal.number);
    ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  }

  void defer(Callback callback) override {
    deferred_.push_back(std::move(callback));
  }

  void loop() override {
    const auto hasWork = [this] {
      return !watched_.empty() || !timers_.empty() || !signals_.empty() ||
             !deferred_.empty();
    };
    while (!stop_ && hasWork()) turn();
    stop_ = false;
  }
  void stop() override { stop_ = true; }

  Clock::time_point now() const override { return now_; }
  std::size_t timerCount() const override { return timers_.size(); }
  std::string_view name() const override { return "poll of its own"; }
  void setExceptionHandler(ExceptionHandler handler) override {
    handler_ = std::move(handler);
  }
  void setPulse(Pulse& pulse) override { pulse_ = &pulse; }
  void abandonInChild() override { signalFd_.reset(); }

 private:
  struct Watched {
    unsigned interest;
    Watcher* watcher;
    std::uint64_t addition;  // tells a number from the same number, used again
  };
  struct Timer {
    Clock::time_point due;
    Clock::duration every;  // zero: once
    Callback callback;
  };
  struct Polled {
    int fd;
    Watched watched;
  };

  static constexpr unsigned kRead = static_cast<unsigned>(Interest::kRead);
  static constexpr unsigned kWrite = static_cast<unsigned>(Interest::kWrite);

  void turn() {
    std::vector<pollfd> polls{{signalFd_.get(), POLLIN, 0}};
    std::vector<Polled> polled;
    for (const auto& [fd, each] : watched_) {
      const int events = ((each.interest & kRead) != 0 ? POLLIN : 0) |
                         ((each.interest & kWrite) != 0 ? POLLOUT : 0);
      polls.push_back({fd, static_cast<short>(events), 0});
      polled.push_back({fd, each});
    }
    wait(polls);
    runTimers();
    if (polls[0].revents != 0) runSignals();
    for (std::size_t i = 0; i < polled.size(); ++i) {
      deliver(polled[i], polls[i + 1].revents);
    }
    for (Callback& callback : std::exchange(deferred_, {})) guarded(callback);
  }

  void wait(std::vector<pollfd>& polls) {
    int patience = deferred_.empty() ? -1 : 0;
    for (const auto& [id, timer] : timers_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          timer.due - Clock::now());
      const int due = static_cast<int>(std::max<long>(left.count(), 0));
      if (patience < 0 || due < patience) patience = due;
    }
    if (pulse_ != nullptr) pulse_->sleeping = true;
    ::poll(polls.data(), polls.size(), patience);
    if (pulse_ != nullptr) {
      ++pulse_->turns;
      pulse_->sleeping = false;
    }
    now_ = Clock::now();
  }

  void runTimers() {
    std::vector<std::pair<Clock::time_point, TimerId>> due;
    for (const auto& [id, timer] : timers_) {
      if (timer.due <= now_) due.emplace_back(timer.due, id);
    }
    std::sort(due.begin(), due.end());
    for (const auto& [at, id] : due) {
      const auto found = timers_.find(id);
      if (found == timers_.end()) continue;  // one before has deleted it
      Timer& timer = found->second;
      const Callback callback = timer.callback;
      if (timer.every == Clock::duration::zero()) {
        timers_.erase(found);
      } else {
        // Its cadence; ticks that were missed are skipped.
        while (timer.due <= now_) timer.due += timer.every;
      }
      guarded(callback);
    }
  }

  void runSignals() {
    signalfd_siginfo info;
    while (::read(signalFd_.get(), &info, sizeof info) == sizeof info) {
      const auto found = signals_.find(static_cast<int>(info.ssi_signo));
      if (found == signals_.end()) continue;
      const Callback callback = found->second;
      guarded(callback);
    }
  }

  void deliver(const Polled& polled, short events) {
    if (events == 0) return;
    const auto found = watched_.find(polled.fd);
    if (found == watched_.end()) return;
    if (found->second.addition != polled.watched.addition) return;
    const Watched& each = found->second;
    const bool failed = (events & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    Ready ready;
    ready.read =
        (each.interest & kRead) != 0 && (failed || (events & POLLIN) != 0);
    ready.write =
        (each.interest & kWrite) != 0 && (failed || (events & POLLOUT) != 0);
    guarded([watcher = each.watcher, ready] { watcher->onReady(ready); });
  }

  void guarded(const Callback& callback) {
    try {
      callback();
    } catch (...) {
      if (!handler_) throw;
      handler_(std::current_exception());
    }
  }

  std::map<int, Watched> watched_;
  std::map<TimerId, Timer> timers_;
  std::map<int, Callback> signals_;
  std::vector<Callback> deferred_;
  std::uint64_t additions_ = 0;
  sigset_t mask_{};
  FileDescriptor signalFd_;
  ExceptionHandler handler_;
  Pulse* pulse_ = nullptr;
  Clock::time_point now_ = Clock::now();
  bool stop_ = false;
};

}  // namespace brigade::test
