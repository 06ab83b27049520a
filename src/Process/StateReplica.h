#pragma once

// StateReplica: the shared state in a worker process: a copy that follows the
// master's, and the wishes that are on their way to it.

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/SharedState.h"
#include "brigade/Process/detail/Envelope.h"
#include "brigade/Process/detail/StateTable.h"

namespace brigade {

class StateReplica final : public SharedState {
 public:
  // Bytes of wishes without an outcome yet; over it, kFull.
  static constexpr std::size_t kMostUnsaid = 4 * 1024 * 1024;

  using OnException = std::function<void(std::string_view, std::exception_ptr)>;
  // Loop and post outlive it. `table` is the master's as it forked.
  StateReplica(EventInterface& loop, detail::Post& post,
               detail::StateTable table, OnException onException);

  // kStateChanged and kStateOutcome.
  void deliver(const detail::Envelope& mail);
  // Nobody waits for outcomes any more, as Mailbox::forget().
  void forget();

  const Entry* find(std::string_view key) const override;
  void forEach(const std::function<void(std::string_view, const Entry&)>& visit)
      const override;
  using SharedState::erase;
  using SharedState::set;
  void set(std::string_view key, std::string_view value, Terms terms,
           OnOutcome onOutcome) override;
  void erase(std::string_view key, Terms terms, OnOutcome onOutcome) override;
  void onChange(OnChange callback) override;

 private:
  struct Wish {
    std::string key;
    std::string value;
    bool erases;
    OnOutcome onOutcome;
  };

  void ask(detail::Op op, std::string_view key, std::string_view value,
           const Terms& terms, OnOutcome onOutcome);
  void tellRefused();
  static std::size_t sizeOf(const Wish& wish);
  void apply(std::string_view key, bool gone, const detail::StateNews& news);

  EventInterface& loop_;
  detail::Post& post_;
  OnException onException_;
  detail::StateTable table_;
  std::unordered_map<std::uint64_t, Wish> wishes_;
  std::vector<std::function<void()>> refused_;  // are told later
  std::uint64_t nextWish_ = 1;
  std::size_t unsaid_ = 0;
  std::vector<OnChange> onChange_;
};

}  // namespace brigade
