#pragma once

// Envelope: what lies in a Channel's frame of kMail: who writes to whom about
// what. Host byte order: both ends are one program on one machine.
//
//   op, code, size of name | targets | from | size of data | targets | name |
//      1     1     2            4       8        8           8 each
//   data, unless it travels beside the frame as SealedMemory
//
// The correlation is the frame's. `from` is filled in by the master, whatever
// a worker process has written there.

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Process/Channel.h"

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {

// A process. {0, 0} is the master.
struct Place {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  auto operator<=>(const Place&) const = default;

  void carry(Archive& archive);
};
inline constexpr Place kMasterPlace{};

enum class Op : std::uint8_t {
  // From one process to others, through the master.
  kLetter = 1,  // correlation: the index that was asked for
  kRequest,     // wants one kReply
  kReply,       // code: Answer::Status
  kPublish,     // brigade's own news to the other processes of a Worker
  // The master to a process.
  kCredit,  // correlation: so much of what went to `from` has left
  kMember,  // correlation: pid; code: Standing; data: MemberNews and a reason
  kTask,    // a consume() to run; correlation: the task
  kLeaseGranted,
  kLeaseTaken,
  kStateChanged,  // code 1: the key is gone
  kStateOutcome,  // code: SharedState::Outcome
  // A process to the master.
  kDraining,  // takes nothing new any more
  kListen,    // it handles the events of that name
  kIgnore,    // no more
  kConsume,
  kTaskDone,  // code: Answer::Status
  kLease,
  kLeaseDone,
  kLeaseFailed,
  kStateSet,
  kStateErase,
  // MasterTable: questions to the master, and its answer. New ones come last.
  kTableGet,
  kTableSet,
  kTableErase,
  kTableAnswer,  // code: SharedState::Outcome
  // The master to a process: the question `correlation` is with `from` now.
  kMoved,
};

// Of a Member, in the order they come.
enum class Standing : std::uint8_t { kReady, kDraining, kGone };

struct MemberNews {
  std::uint32_t group;
  std::uint32_t workers;  // how many indexes the program has
  // Of kReady: the generation whose connections it takes over, and whose mail
  // from here on; 0: none.
  std::uint32_t replaces = 0;
};

struct Envelope {
  Op op;
  std::uint8_t code = 0;
  Place from = {};
  std::uint64_t correlation = 0;
  std::string_view targets = {};  // packed Places
  std::string_view name = {};
  std::string_view data = {};  // empty when it travels as SealedMemory
  int descriptor = -1;         // SealedMemory of `size` bytes, not owned
  std::uint64_t size = 0;
};

std::size_t targetCount(const Envelope& mail);
Place targetOf(const Envelope& mail, std::size_t i);
std::string_view asTargets(const std::vector<Place>& places);

// Longest name; a byte more is not written.
inline constexpr std::size_t kMaxName = 255;
// Whether it lies in one frame with its data; else that is SealedMemory.
bool fitsFrame(const Envelope& mail);

// Appended to `out`, without the correlation.
void encode(const Envelope& mail, std::string& out);
// Nothing when the bytes are no envelope. Views into the frame's payload.
std::optional<Envelope> decode(const Frame& frame);

// What a letter counts against the window of its sender: its bytes, or
// those of a frame when it travels beside one, and what the kernel charges.
inline constexpr std::size_t kOverhead = 512;
std::size_t chargeOf(const Envelope& mail);

// What carries the mail of a process to the master: its channel; or, in the
// master itself, the Router.
class Post {
 public:
  virtual Channel::Result post(const Envelope& mail) = 0;

 protected:
  ~Post() = default;
};

}  // namespace brigade::detail
