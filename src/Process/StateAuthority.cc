#include "brigade/Process/StateAuthority.h"

#include <algorithm>

#include "brigade/Events/Archive.h"

namespace brigade {
namespace {

// What expires within one such span goes in one wake-up.
constexpr std::chrono::seconds kSpan{1};

Clock::time_point expiryOf(Clock::time_point now, Clock::duration lifetime) {
  if (lifetime >= Clock::time_point::max() - now) {
    return Clock::time_point::max();
  }
  return now + lifetime;
}

bool holds(const SharedState::Entry* entry, const SharedState::Terms& terms) {
  using Condition = SharedState::Condition;
  switch (terms.condition) {
    case Condition::kAbsent:
      return entry == nullptr;
    case Condition::kPresent:
      return entry != nullptr;
    case Condition::kVersion:
      return entry != nullptr && entry->version == terms.version;
    default:
      return true;
  }
}

}  // namespace

StateAuthority::StateAuthority(EventInterface& loop, Spread spread,
                               OnException onException)
    : loop_(loop),
      spread_(std::move(spread)),
      onException_(std::move(onException)) {}

StateAuthority::~StateAuthority() { loop_.del(expiry_); }

const SharedState::Entry* StateAuthority::find(std::string_view key) const {
  return table_.find(key, Clock::now());
}

void StateAuthority::forEach(
    const std::function<void(std::string_view, const Entry&)>& visit) const {
  table_.forEach(visit, Clock::now());
}

std::pair<SharedState::Outcome, std::uint64_t> StateAuthority::change(
    std::string_view key, std::string_view value, const Terms& terms) {
  const Clock::time_point now = Clock::now();
  const Entry* const before = table_.find(key, now);
  const std::uint64_t version = before == nullptr ? 0 : before->version;
  if (!holds(before, terms)) return {Outcome::kRefused, version};
  const std::size_t freed =
      before == nullptr ? 0 : key.size() + before->value.size();
  if (table_.bytes() - freed + key.size() + value.size() > kMaxBytes) {
    return {Outcome::kFull, version};
  }
  drop(key);
  Entry entry{std::string(value), ++version_, expiryOf(now, terms.lifetime)};
  if (entry.expires != Clock::time_point::max()) {
    expiries_.emplace(entry.expires, key);
    awaitExpiry();
  }
  table_.put(key, std::move(entry));
  changed(key);
  return {Outcome::kDone, version_};
}

std::pair<SharedState::Outcome, std::uint64_t> StateAuthority::remove(
    std::string_view key, const Terms& terms) {
  const Entry* const before = table_.find(key, Clock::now());
  const std::uint64_t version = before == nullptr ? 0 : before->version;
  if (!holds(before, terms)) return {Outcome::kRefused, version};
  if (table_.findAny(key) == nullptr) return {Outcome::kDone, 0};
  drop(key);
  ++version_;
  changed(key);
  return {Outcome::kDone, version_};
}

void StateAuthority::drop(std::string_view key) {
  const Entry* const entry = table_.findAny(key);
  if (entry == nullptr) return;
  expiries_.erase({entry->expires, std::string(key)});
  table_.remove(key);
}

void StateAuthority::carry(Archive& archive) {
  archive(table_, version_, expiries_);
  awaitExpiry();
}

StateAuthority::Standing StateAuthority::standing(std::string_view key) const {
  const Entry* const entry = table_.findAny(key);
  if (entry == nullptr) return {true, {version_, Clock::time_point::max(), {}}};
  return {false, {entry->version, entry->expires, entry->value}};
}

void StateAuthority::changed(std::string_view key) {
  spread_(key);
  if (onChange_.empty()) return;
  // Not from inside the call that changed it; it may be another one by then.
  loop_.defer([this, name = std::string(key)] {
    const Entry* const now = find(name);
    for (std::size_t i = 0; i < onChange_.size(); ++i) {
      try {
        onChange_[i](name, now);
      } catch (...) {
        onException_("onChange", std::current_exception());
      }
    }
  });
}

// ---- For the master's own program

void StateAuthority::tellLater(OnOutcome onOutcome,
                               std::pair<Outcome, std::uint64_t> outcome) {
  if (!onOutcome) return;
  loop_.defer([this, call = std::move(onOutcome), outcome] {
    try {
      call(outcome.first, outcome.second);
    } catch (...) {
      onException_("an outcome", std::current_exception());
    }
  });
}

void StateAuthority::set(std::string_view key, std::string_view value,
                         Terms terms, OnOutcome onOutcome) {
  detail::checkEntry(key, value);
  tellLater(std::move(onOutcome), change(key, value, terms));
}

void StateAuthority::erase(std::string_view key, Terms terms,
                           OnOutcome onOutcome) {
  detail::checkEntry(key, {});
  tellLater(std::move(onOutcome), remove(key, terms));
}

void StateAuthority::onChange(OnChange callback) {
  onChange_.push_back(std::move(callback));
}

// ---- What expires

void StateAuthority::awaitExpiry() {
  if (expiries_.empty()) return;
  const Clock::time_point next = expiries_.begin()->first + kSpan;
  if (next >= expiryAt_) return;
  loop_.del(expiry_);
  expiryAt_ = next;
  expiry_ = loop_.add(std::max(next - Clock::now(), Clock::duration::zero()),
                      Repeat::kOnce, [this] { expire(); });
}

void StateAuthority::expire() {
  expiryAt_ = Clock::time_point::max();
  const Clock::time_point now = Clock::now();
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    const std::string key = expiries_.begin()->second;
    drop(key);
    ++version_;
    changed(key);
  }
  awaitExpiry();
}

}  // namespace brigade
