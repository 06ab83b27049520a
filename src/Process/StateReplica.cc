#include "brigade/Process/StateReplica.h"

#include <utility>

namespace brigade {

StateReplica::StateReplica(EventInterface& loop, detail::Post& post,
                           detail::StateTable table, OnException onException)
    : loop_(loop),
      post_(post),
      onException_(std::move(onException)),
      table_(std::move(table)) {}

const SharedState::Entry* StateReplica::find(std::string_view key) const {
  return table_.find(key, Clock::now());
}

void StateReplica::forEach(
    const std::function<void(std::string_view, const Entry&)>& visit) const {
  table_.forEach(visit, Clock::now());
}

void StateReplica::set(std::string_view key, std::string_view value,
                       Terms terms, OnOutcome onOutcome) {
  detail::checkEntry(key, value);
  ask(detail::Op::kStateSet, key, value, terms, std::move(onOutcome));
}

void StateReplica::erase(std::string_view key, Terms terms,
                         OnOutcome onOutcome) {
  detail::checkEntry(key, {});
  ask(detail::Op::kStateErase, key, {}, terms, std::move(onOutcome));
}

void StateReplica::onChange(OnChange callback) {
  onChange_.push_back(std::move(callback));
}

std::size_t StateReplica::sizeOf(const Wish& wish) {
  return detail::kOverhead + wish.key.size() + wish.value.size();
}

void StateReplica::ask(detail::Op op, std::string_view key,
                       std::string_view value, const Terms& terms,
                       OnOutcome onOutcome) {
  Wish wish{std::string(key), std::string(value), op == detail::Op::kStateErase,
            std::move(onOutcome)};
  Outcome refused = Outcome::kFull;
  if (unsaid_ < kMostUnsaid) {
    const std::string data = detail::encodeWish(terms, value);
    const std::uint64_t number = nextWish_++;
    const Channel::Result result = post_.post(
        {.op = op, .correlation = number, .name = key, .data = data});
    if (result == Channel::Result::kSent ||
        result == Channel::Result::kQueued) {
      unsaid_ += sizeOf(wish);
      wishes_.emplace(number, std::move(wish));
      return;
    }
    refused = Outcome::kNoMaster;
  }
  if (!wish.onOutcome) return;
  if (refused_.empty()) loop_.defer([this] { tellRefused(); });
  refused_.push_back(
      [call = std::move(wish.onOutcome), refused] { call(refused, 0); });
}

void StateReplica::tellRefused() {
  for (const auto& call : std::exchange(refused_, {})) {
    try {
      call();
    } catch (...) {
      onException_("an outcome", std::current_exception());
    }
  }
}

void StateReplica::forget() {
  std::exchange(wishes_, {}).clear();
  std::exchange(refused_, {}).clear();
}

void StateReplica::deliver(const detail::Envelope& mail) {
  const auto news = detail::decodeNews(mail.data);
  if (!news) return;
  if (mail.op == detail::Op::kStateChanged) {
    apply(mail.name, mail.code != 0, *news);
    return;
  }
  auto node = wishes_.extract(mail.correlation);
  if (node.empty()) return;
  Wish& wish = node.mapped();
  unsaid_ -= sizeOf(wish);
  const auto outcome = static_cast<Outcome>(mail.code);
  // While this process did not keep up, its own change may come behind this.
  const Entry* const entry = table_.findAny(wish.key);
  if (outcome == Outcome::kDone &&
      (entry == nullptr ? !wish.erases : entry->version < news->version)) {
    apply(wish.key, wish.erases, {news->version, news->expires, wish.value});
  }
  if (!wish.onOutcome) return;
  try {
    wish.onOutcome(outcome, news->version);
  } catch (...) {
    onException_("an outcome", std::current_exception());
  }
}

void StateReplica::apply(std::string_view key, bool gone,
                         const detail::StateNews& news) {
  const Entry* const before = table_.findAny(key);
  if (before != nullptr && news.version < before->version) return;
  if (gone) {
    table_.remove(key);
  } else {
    table_.put(key, {std::string(news.value), news.version, news.expires});
  }
  const Entry* const now = gone ? nullptr : table_.findAny(key);
  for (std::size_t i = 0; i < onChange_.size(); ++i) {
    try {
      onChange_[i](key, now);
    } catch (...) {
      onException_("onChange", std::current_exception());
    }
  }
}

}  // namespace brigade
