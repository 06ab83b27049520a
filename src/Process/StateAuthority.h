#pragma once

// StateAuthority: the shared state in the master, which decides what changes
// and in which order, and tells whoever spreads it.

#include <cstdint>
#include <exception>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/SharedState.h"
#include "brigade/Process/detail/StateTable.h"

namespace brigade {

class Archive;

class StateAuthority final : public SharedState {
 public:
  // `spread` is told of every key that has changed; `onException` of what has
  // left a callback of the program. The loop outlives the authority.
  using Spread = std::function<void(std::string_view key)>;
  using OnException = std::function<void(std::string_view, std::exception_ptr)>;
  StateAuthority(EventInterface& loop, Spread spread, OnException onException);
  ~StateAuthority() override;

  // What a worker process has asked for: the outcome, and the version to tell.
  std::pair<Outcome, std::uint64_t> change(std::string_view key,
                                           std::string_view value,
                                           const Terms& terms);
  std::pair<Outcome, std::uint64_t> remove(std::string_view key,
                                           const Terms& terms);
  // How it stands with a key now, to be told: gone when there is no entry.
  struct Standing {
    bool gone;
    detail::StateNews news;
  };
  Standing standing(std::string_view key) const;

  // Over execve(2).
  void carry(Archive& archive);

  // All of it, for a process that was just forked.
  const detail::StateTable& table() const { return table_; }

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
  void changed(std::string_view key);
  void tellLater(OnOutcome onOutcome,
                 std::pair<Outcome, std::uint64_t> outcome);
  void drop(std::string_view key);
  void awaitExpiry();
  void expire();

  EventInterface& loop_;
  Spread spread_;
  OnException onException_;
  detail::StateTable table_;
  std::uint64_t version_ = 0;
  std::set<std::pair<Clock::time_point, std::string>> expiries_;
  TimerId expiry_{};
  Clock::time_point expiryAt_ = Clock::time_point::max();
  std::vector<OnChange> onChange_;
};

}  // namespace brigade
