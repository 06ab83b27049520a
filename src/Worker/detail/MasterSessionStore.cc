#include "brigade/Worker/detail/MasterSessionStore.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>

namespace brigade::detail {
namespace {

using std::chrono::seconds;
using Condition = SharedState::Condition;
using Outcome = SharedState::Outcome;

// Between a load just before a session expires and its being prolonged.
constexpr seconds kGrace{60};
constexpr std::size_t kTimeSize = sizeof(std::int64_t);

std::error_code errorOf(std::errc error) { return std::make_error_code(error); }

// Of an operation on a session that has to be there.
std::error_code errorOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kDone:
      return {};
    case Outcome::kRefused:
      return errorOf(std::errc::no_such_file_or_directory);
    case Outcome::kFull:
      return errorOf(std::errc::no_space_on_device);
    default:
      return errorOf(std::errc::timed_out);
  }
}

Clock::duration lifetimeUntil(SessionTime expires) {
  const auto now = std::chrono::system_clock::now();
  return std::max(
      std::chrono::duration_cast<Clock::duration>(expires + kGrace - now),
      Clock::duration::zero());
}

std::string entryOf(std::string_view data, SessionTime expires) {
  const std::int64_t second = expires.time_since_epoch().count();
  std::string entry(kTimeSize, '\0');
  std::memcpy(entry.data(), &second, kTimeSize);
  return entry.append(data);
}

}  // namespace

void MasterSessionStore::setScope(const std::string& scope) {
  if (scope.size() > kMaxScope) {
    throw std::invalid_argument("worker '" + scope +
                                "' has sessions in the master, and a name of "
                                "more than " +
                                std::to_string(kMaxScope) + " bytes");
  }
  scope_ = scope;
}

std::string MasterSessionStore::keyOf(std::string_view id) const {
  return (scope_ + "/").append(id);
}

std::error_code MasterSessionStore::put(std::string_view id,
                                        std::string_view data,
                                        SessionTime expires,
                                        SharedState::Terms terms) try {
  if (data.size() > kMaxBytes) return errorOf(std::errc::file_too_large);
  terms.lifetime = lifetimeUntil(expires);
  return errorOf(table_->set(keyOf(id), entryOf(data, expires), terms).outcome);
} catch (const std::bad_alloc&) {
  return errorOf(std::errc::not_enough_memory);
}

std::error_code MasterSessionStore::load(std::string_view id, SessionTime now,
                                         StoredSession& session) try {
  const MasterTable::Answer answer = table_->get(keyOf(id));
  if (answer.outcome != Outcome::kDone) return errorOf(answer.outcome);
  std::int64_t second = 0;
  if (answer.value.size() < kTimeSize) return errorOf(Outcome::kRefused);
  std::memcpy(&second, answer.value.data(), kTimeSize);
  session.expires = SessionTime(seconds(second));
  session.data = answer.value.substr(kTimeSize);
  return session.expires > now ? std::error_code() : errorOf(Outcome::kRefused);
} catch (const std::bad_alloc&) {
  return errorOf(std::errc::not_enough_memory);
}

std::error_code MasterSessionStore::create(std::string_view id,
                                           std::string_view data,
                                           SessionTime expires) {
  return put(id, data, expires, {});
}

std::error_code MasterSessionStore::replace(std::string_view id,
                                            std::string_view data,
                                            SessionTime expires) {
  return put(id, data, expires, {.condition = Condition::kPresent});
}

// The erasure is the claim: it succeeds for one only. Nobody knows the new id
// before this returns.
std::error_code MasterSessionStore::rename(std::string_view id,
                                           std::string_view newId,
                                           std::string_view data,
                                           SessionTime expires) try {
  if (const auto error = create(newId, data, expires)) return error;
  const auto claim =
      table_->erase(keyOf(id), {.condition = Condition::kPresent});
  if (claim.outcome != Outcome::kDone) remove(newId);
  return errorOf(claim.outcome);
} catch (const std::bad_alloc&) {
  return errorOf(std::errc::not_enough_memory);
}

// What another process has saved meanwhile has its time from that.
std::error_code MasterSessionStore::prolong(std::string_view id,
                                            SessionTime expires) try {
  const MasterTable::Answer answer = table_->get(keyOf(id));
  if (answer.outcome != Outcome::kDone) return errorOf(answer.outcome);
  if (answer.value.size() < kTimeSize) return errorOf(Outcome::kRefused);
  const std::error_code error =
      put(id, std::string_view(answer.value).substr(kTimeSize), expires,
          {.condition = Condition::kVersion, .version = answer.version});
  return error == std::errc::no_such_file_or_directory ? std::error_code()
                                                       : error;
} catch (const std::bad_alloc&) {
  return errorOf(std::errc::not_enough_memory);
}

std::error_code MasterSessionStore::remove(std::string_view id) try {
  return errorOf(table_->erase(keyOf(id)).outcome);
} catch (const std::bad_alloc&) {
  return errorOf(std::errc::not_enough_memory);
}

}  // namespace brigade::detail
