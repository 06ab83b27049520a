#include "brigade/Worker/detail/Recycling.h"

#include <chrono>

#include "brigade/Worker/detail/ProcessFacts.h"

namespace brigade::detail {
namespace {

// A look costs some ten microseconds.
constexpr std::chrono::milliseconds kBetweenLooks{250};
// What a limit grows by at most: a tenth.
constexpr std::uint64_t kShare = 10;

std::uint64_t jittered(std::uint64_t limit, std::uint32_t chance) {
  const auto most = static_cast<double>(limit / kShare);
  const double part = static_cast<double>(chance) / UINT32_MAX;
  return limit + static_cast<std::uint64_t>(most * part);
}

}  // namespace

Recycling::Recycling(const RecyclingLimits& limits,
                     const ConnectionCounters& counters, std::uint32_t chance)
    : limits_{jittered(limits.messages, chance),
              jittered(limits.accepts, chance),
              jittered(limits.memory, chance)},
      counters_(counters),
      firstMessage_(counters.messages.get()),
      firstAccept_(counters.accepted.get()) {}

bool Recycling::isOn() const {
  return limits_.messages + limits_.accepts + limits_.memory > 0;
}

std::uint64_t Recycling::messageMark() const {
  if (limits_.memory > 0) return 0;
  return limits_.messages > 0 ? firstMessage_ + limits_.messages : UINT64_MAX;
}

std::string Recycling::due(Clock::time_point now) {
  const std::uint64_t messages = counters_.messages.get() - firstMessage_;
  if (limits_.messages > 0 && messages >= limits_.messages) {
    return "has received " + std::to_string(messages) + " messages";
  }
  const std::uint64_t accepts = counters_.accepted.get() - firstAccept_;
  if (limits_.accepts > 0 && accepts >= limits_.accepts) {
    return "has accepted " + std::to_string(accepts) + " connections";
  }
  if (limits_.memory == 0 || now < nextLook_) return {};
  nextLook_ = now + kBetweenLooks;
  const std::uint64_t resident = residentBytes();
  if (resident < limits_.memory) return {};
  return "has " + std::to_string(resident) + " bytes in memory";
}

}  // namespace brigade::detail
