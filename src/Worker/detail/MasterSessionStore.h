#pragma once

// MasterSessionStore: sessions in the memory of the master: they outlive their
// worker process, and not the master. Each call asks it, so that what one
// process has saved every other one loads from then on; see MasterTable.h for a
// master that does not answer: the error is std::errc::timed_out, and with more
// than it may hold std::errc::no_space_on_device.
//
// An entry is the second at which the session expires, in 8 bytes of the host's
// order, then the data. The master drops it a minute later by itself.

#include <string>
#include <string_view>

#include "brigade/Process/MasterTable.h"
#include "brigade/Worker/SessionStore.h"

namespace brigade::detail {

class MasterSessionStore final : public SessionStore {
 public:
  static constexpr std::size_t kMaxBytes = SharedState::kMaxValue - 8;

  // Before anything else. What keeps apart the sessions of two Workers: throws
  // std::invalid_argument over kMaxScope bytes.
  static constexpr std::size_t kMaxScope = 200;
  void setScope(const std::string& scope);
  // In a worker process. The table outlives the store.
  void setTable(MasterTable& table) { table_ = &table; }

  std::size_t maxBytes() const override { return kMaxBytes; }
  std::error_code load(std::string_view id, SessionTime now,
                       StoredSession& session) override;
  std::error_code create(std::string_view id, std::string_view data,
                         SessionTime expires) override;
  std::error_code replace(std::string_view id, std::string_view data,
                          SessionTime expires) override;
  std::error_code rename(std::string_view id, std::string_view newId,
                         std::string_view data, SessionTime expires) override;
  std::error_code prolong(std::string_view id, SessionTime expires) override;
  std::error_code remove(std::string_view id) override;
  bool collect(SessionTime, std::size_t) override { return false; }

 private:
  std::error_code put(std::string_view id, std::string_view data,
                      SessionTime expires, SharedState::Terms terms);
  std::string keyOf(std::string_view id) const;

  std::string scope_;
  MasterTable* table_ = nullptr;
};

}  // namespace brigade::detail
