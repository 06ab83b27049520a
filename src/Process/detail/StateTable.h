#pragma once

// StateTable: one process's copy of the shared state, and how its changes are
// written down between processes.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Process/SharedState.h"
#include "brigade/Process/detail/Envelope.h"

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {

class StateTable {
 public:
  using Entry = SharedState::Entry;

  // Null when there is none or it has expired at `now`.
  const Entry* find(std::string_view key, Clock::time_point now) const;
  const Entry* findAny(std::string_view key) const;
  void forEach(const std::function<void(std::string_view, const Entry&)>& visit,
               Clock::time_point now) const;

  void put(std::string_view key, Entry entry);
  void remove(std::string_view key);
  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return entries_.size(); }

  void carry(Archive& archive);

 private:
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t bytes_ = 0;
};

// Throws what SharedState::set() promises.
void checkEntry(std::string_view key, std::string_view value);

// What a process asks of the master: the data of kStateSet and kStateErase.
struct StateWish {
  SharedState::Terms terms;
  std::string_view value;
};
std::string encodeWish(const SharedState::Terms& terms, std::string_view value);
std::optional<StateWish> decodeWish(std::string_view data);

// What the master tells of a key: the data of kStateChanged (whose code is 1
// when the key is gone) and of kStateOutcome, which has no value.
struct StateNews {
  std::uint64_t version = 0;
  Clock::time_point expires = Clock::time_point::max();
  std::string_view value;
};
std::string encodeNews(const StateNews& news);
std::optional<StateNews> decodeNews(std::string_view data);

}  // namespace brigade::detail
