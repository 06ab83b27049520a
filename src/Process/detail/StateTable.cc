#include "brigade/Process/detail/StateTable.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "brigade/Events/Archive.h"

namespace brigade {

// Found beside SharedState, by whom the class of an entry belongs to.
static void carryOver(Archive& archive, SharedState::Entry& entry) {
  archive(entry.value, entry.version, entry.expires);
}

namespace detail {
namespace {

struct WishHeader {
  std::uint64_t version;
  std::int64_t lifetime;  // nanoseconds
  std::uint8_t condition;
  std::uint8_t unused[7];
};
static_assert(sizeof(WishHeader) == 24);

struct NewsHeader {
  std::uint64_t version;
  std::int64_t expires;  // nanoseconds of CLOCK_MONOTONIC, one for all
};
static_assert(sizeof(NewsHeader) == 16);

template <typename Header>
std::string join(const Header& header, std::string_view value) {
  std::string data(reinterpret_cast<const char*>(&header), sizeof header);
  data += value;
  return data;
}

template <typename Header>
std::optional<std::pair<Header, std::string_view>> split(
    std::string_view data) {
  Header header;
  if (data.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, data.data(), sizeof header);
  return std::pair(header, data.substr(sizeof header));
}

}  // namespace

void StateTable::carry(Archive& archive) { archive(entries_, bytes_); }

const StateTable::Entry* StateTable::findAny(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

const StateTable::Entry* StateTable::find(std::string_view key,
                                          Clock::time_point now) const {
  const Entry* const entry = findAny(key);
  return entry == nullptr || entry->expires <= now ? nullptr : entry;
}

void StateTable::forEach(
    const std::function<void(std::string_view, const Entry&)>& visit,
    Clock::time_point now) const {
  for (const auto& [key, entry] : entries_) {
    if (entry.expires > now) visit(key, entry);
  }
}

void StateTable::put(std::string_view key, Entry entry) {
  remove(key);
  bytes_ += key.size() + entry.value.size();
  entries_.emplace(key, std::move(entry));
}

void StateTable::remove(std::string_view key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  bytes_ -= found->first.size() + found->second.value.size();
  entries_.erase(found);
}

void checkEntry(std::string_view key, std::string_view value) {
  if (key.empty() || key.size() > SharedState::kMaxKey) {
    throw std::length_error("a key of shared state has 1 to " +
                            std::to_string(SharedState::kMaxKey) +
                            " bytes, not " + std::to_string(key.size()));
  }
  if (value.size() > SharedState::kMaxValue) {
    throw std::length_error("a value of shared state of " +
                            std::to_string(value.size()) + " bytes; at most " +
                            std::to_string(SharedState::kMaxValue));
  }
}

std::string encodeWish(const SharedState::Terms& terms,
                       std::string_view value) {
  WishHeader header{};
  header.version = terms.version;
  header.lifetime = std::chrono::nanoseconds(terms.lifetime).count();
  header.condition = static_cast<std::uint8_t>(terms.condition);
  return join(header, value);
}

std::optional<StateWish> decodeWish(std::string_view data) {
  const auto parts = split<WishHeader>(data);
  if (!parts) return std::nullopt;
  const auto& [header, value] = *parts;
  StateWish wish;
  wish.terms.condition = static_cast<SharedState::Condition>(header.condition);
  wish.terms.version = header.version;
  wish.terms.lifetime = std::chrono::nanoseconds(header.lifetime);
  wish.value = value;
  return wish;
}

std::string encodeNews(const StateNews& news) {
  const NewsHeader header{
      news.version,
      std::chrono::nanoseconds(news.expires.time_since_epoch()).count()};
  return join(header, news.value);
}

std::optional<StateNews> decodeNews(std::string_view data) {
  const auto parts = split<NewsHeader>(data);
  if (!parts) return std::nullopt;
  return StateNews{
      parts->first.version,
      Clock::time_point(std::chrono::nanoseconds(parts->first.expires)),
      parts->second};
}

}  // namespace detail
}  // namespace brigade
