#pragma once

// LeaseTable: who of those that call runOnce() with one key runs. Pure; in the
// master.
//
//   (nobody) --first asks--> held --done--> done: all others are told
//                             ^  | failed, or died
//              the next asks -'  v
//                            (nobody)

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "brigade/Process/detail/Envelope.h"

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {

class LeaseTable {
 public:
  struct Asker {
    Place place;
    std::uint64_t correlation;

    void carry(Archive& archive);
  };
  using Tell = std::function<void(const Asker& asker, bool granted)>;

  // `tell` may ask again.
  explicit LeaseTable(Tell tell) : tell_(std::move(tell)) {}

  // A key is done for good, or, with an epoch, until a later one is asked for.
  void ask(std::string_view key, std::uint64_t epoch, const Asker& asker);
  // Only from the one that holds it.
  void done(std::string_view key, const Asker& holder);
  void failed(std::string_view key, const Asker& holder);
  void gone(const Place& place);

  void carry(Archive& archive);

 private:
  struct Lease {
    std::uint64_t epoch = 0;
    bool isDone = false;
    bool isHeld = false;
    std::uint64_t heldEpoch = 0;
    Asker holder{};
    std::deque<Asker> waiting;

    void carry(Archive& archive);
  };

  Lease* heldBy(std::string_view key, const Asker& holder);
  void grantNext(Lease& lease);

  Tell tell_;
  std::map<std::string, Lease, std::less<>> leases_;
};

}  // namespace brigade::detail
