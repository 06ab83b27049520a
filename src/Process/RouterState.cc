// The shared state and the MasterTable, as the processes ask for changes and
// hear of them.

#include <tuple>
#include <utility>

#include "brigade/Process/Router.h"

namespace brigade {

// Nothing, and the sender is reported, when it is none.
std::optional<detail::StateWish> Router::wishOf(const Place& sender,
                                                const Envelope& mail) {
  const auto wish = detail::decodeWish(mail.data);
  if (!mail.name.empty() && wish &&
      wish->value.size() <= SharedState::kMaxValue) {
    return wish;
  }
  Port* const port = portAt(sender);
  if (port != nullptr) report(*port, "a change that is none");
  return std::nullopt;
}

void Router::changeState(const Place& sender, const Envelope& mail) {
  const auto wish = wishOf(sender, mail);
  if (!wish) return;
  const auto [outcome, version] =
      mail.op == Op::kStateSet
          ? state_.change(mail.name, wish->value, wish->terms)
          : state_.remove(mail.name, wish->terms);
  const auto standing = state_.standing(mail.name);
  const std::string data =
      detail::encodeNews({version, standing.news.expires, {}});
  tell(sender, {.op = Op::kStateOutcome,
                .code = static_cast<std::uint8_t>(outcome),
                .correlation = mail.correlation,
                .data = data});
}

void Router::answerTable(const Place& sender, const Envelope& mail) {
  const auto wish = wishOf(sender, mail);
  if (!wish) return;
  auto outcome = SharedState::Outcome::kRefused;
  detail::StateNews news;
  if (mail.op == Op::kTableSet) {
    std::tie(outcome, news.version) =
        table_.change(mail.name, wish->value, wish->terms);
  } else if (mail.op == Op::kTableErase) {
    std::tie(outcome, news.version) = table_.remove(mail.name, wish->terms);
  } else if (const auto* const entry = table_.find(mail.name)) {
    outcome = SharedState::Outcome::kDone;
    news = {entry->version, entry->expires, entry->value};
  }
  const std::string data = detail::encodeNews(news);
  tell(sender, {.op = Op::kTableAnswer,
                .code = static_cast<std::uint8_t>(outcome),
                .correlation = mail.correlation,
                .data = data});
}

void Router::spreadKey(std::string_view key) {
  for (auto& [place, port] : ports_) {
    if (!port.stale.empty() || port.channel->queuedBytes() > kBehind) {
      port.stale.emplace(key);
    } else {
      tellKey(port, key);
    }
  }
}

void Router::tellKey(Port& port, std::string_view key) {
  const auto standing = state_.standing(key);
  const std::string data = detail::encodeNews(standing.news);
  const std::uint8_t gone = standing.gone ? 1 : 0;
  put(port, {.op = Op::kStateChanged, .code = gone, .name = key, .data = data},
      {}, 0);
}

// Each key that changed meanwhile once, as it is now.
void Router::catchUp(Port& port) {
  while (!port.stale.empty() && port.channel->queuedBytes() <= kBehind) {
    const auto key = port.stale.extract(port.stale.begin());
    tellKey(port, key.value());
  }
}

}  // namespace brigade
