#pragma once

// LibevLoop: the default backend, over a libev loop of its own (never libev's
// default loop, no signal handler, no environment variable). libev waits and
// tells what is ready; timers and signals are brigade's. An idle descriptor
// costs 52 bytes here and 16 in libev. What libev aborts the process for
// (a descriptor that is not open), add() refuses; a descriptor that is closed
// before del() remains a bug that libev's assertions end.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/detail/LoopBase.h"

namespace brigade {

class LibevLoop final : public detail::LoopBase {
 public:
  static constexpr std::string_view kName = "libev";

  // kName for libev's best backend, or one by name; nullptr when there is
  // none of that name, in this libev and on this kernel.
  static std::unique_ptr<LibevLoop> make(std::string_view name);
  // The names for which make() works here, kName first.
  static std::vector<std::string> availableNames();

  ~LibevLoop() override;

  using LoopBase::add;
  using LoopBase::del;
  void add(int fd, Interest interest, Watcher& watcher) override;
  void add(const FileDescriptor& fd, Interest interest,
           Watcher& watcher) override;
  void del(int fd) override;
  std::string_view name() const override;
  void setPulse(Pulse& pulse) override;

 private:
  struct State;

  explicit LibevLoop(std::unique_ptr<State> state);

  void poll(Wait wait) override;
  std::size_t watchedCount() const override;
  void closeInChild() override;

  void put(int fd, Interest interest, Watcher& watcher);

  std::unique_ptr<State> state_;
};

}  // namespace brigade
