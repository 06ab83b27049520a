#pragma once

// SharedState: a small map that all processes of a program have. The master
// decides the order of changes and gives each its version; every process,
// the master too, holds a copy, so to read costs nothing and asks nobody. A
// worker process has all of it before it is ready, also what changed while it
// was starting.
//
// A change is in all copies soon after its outcome is told: the asker's own
// copy has it by then. For one key every copy sees versions that only grow; a
// process that does not keep up skips some and ends with the latest. It lives
// as long as the master: no file.
//
// One in each process, from onWorkerStart (in the master: onMasterStart) on.
// Callbacks run in its loop, never from inside the call that asked for them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "brigade/Events/Coroutine.h"
#include "brigade/Events/EventInterface.h"

namespace brigade {

class SharedState {
 public:
  static constexpr std::size_t kMaxKey = 255;
  static constexpr std::size_t kMaxValue = 60 * 1024;
  // Of keys and values in all; every process has them.
  static constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;

  struct Entry {
    std::string value;
    std::uint64_t version = 0;  // grows over all changes of all keys
    Clock::time_point expires = Clock::time_point::max();
  };

  enum class Condition : std::uint8_t {
    kAlways,
    kAbsent,   // only when there is no such key
    kPresent,  // only when there is
    kVersion,  // only when it still has that version
  };
  struct Terms {
    Condition condition = Condition::kAlways;
    std::uint64_t version = 0;
    Clock::duration lifetime = Clock::duration::max();  // from now on
  };

  enum class Outcome : std::uint8_t {
    kDone,
    kRefused,  // the condition does not hold
    kFull,     // kMaxBytes; or too many changes wait for their outcome
    kNoMaster,
  };
  // With the version of the change, or else that of the entry, 0 for none.
  using OnOutcome = std::function<void(Outcome, std::uint64_t version)>;
  // A key has another value, or, with null, none any more.
  using OnChange = std::function<void(std::string_view key, const Entry*)>;

  virtual ~SharedState() = default;
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  // Null when there is none, or it has expired. Good until the callback that
  // asks returns, or the key changes.
  virtual const Entry* find(std::string_view key) const = 0;
  // Every entry, by key. Nothing may be changed meanwhile.
  virtual void forEach(
      const std::function<void(std::string_view, const Entry&)>& visit)
      const = 0;

  // Throws std::length_error for a key that has not 1 to kMaxKey bytes, or a
  // value over kMaxValue.
  virtual void set(std::string_view key, std::string_view value, Terms terms,
                   OnOutcome onOutcome = {}) = 0;
  void set(std::string_view key, std::string_view value,
           OnOutcome onOutcome = {}) {
    set(key, value, Terms{}, std::move(onOutcome));
  }
  // kDone also when there was none, unless the terms ask for one.
  virtual void erase(std::string_view key, Terms terms,
                     OnOutcome onOutcome = {}) = 0;
  void erase(std::string_view key, OnOutcome onOutcome = {}) {
    erase(key, Terms{}, std::move(onOutcome));
  }

  // The same for a coroutine: `co_await state().trySet("key", "value")`.
  struct Change {
    Outcome outcome = Outcome::kDone;
    std::uint64_t version = 0;
  };
  auto trySet(std::string_view key, std::string_view value, Terms terms) {
    return awaited<Change>([this, key, value, terms](OnOutcome done) {
      set(key, value, terms, std::move(done));
    });
  }
  auto trySet(std::string_view key, std::string_view value) {
    return trySet(key, value, Terms{});
  }
  auto tryErase(std::string_view key, Terms terms) {
    return awaited<Change>([this, key, terms](OnOutcome done) {
      erase(key, terms, std::move(done));
    });
  }
  auto tryErase(std::string_view key) { return tryErase(key, Terms{}); }

  // Told of every change in this process's copy, those of its own too, and
  // what expires.
  virtual void onChange(OnChange callback) = 0;

 protected:
  SharedState() = default;
};

}  // namespace brigade
