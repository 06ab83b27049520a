#pragma once

// Inheritance: what the image of a program that this process was before
// execve(2) has left to the one that it is now: its state in a memfd, and the
// descriptors that are named there. What may go wrong is done before anything
// is taken from it, so that another image can be given all of it untouched.

#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "brigade/Events/Archive.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Launch.h"
#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/Worker.h"

namespace brigade::detail {

// Of all that one image writes and another reads: the archive, the frames of
// the channels, what processes write down in shared memory. An image of another
// version is refused by its check.
inline constexpr unsigned kStateVersion = 1;

// What only a start can change, a line each: compared between the image that
// runs and one that is to follow it. `config` is complete.
std::vector<std::string> planOf(const std::vector<Worker*>& workers,
                                const RunConfig& config);
// What keeps a program with the plan in `output` (lines behind kPlanMark) from
// following one with that plan; empty: nothing.
std::string differenceOf(const std::vector<std::string>& plan,
                         std::string_view output);
inline constexpr const char kPlanMark[] = "brigade: ";

// Plain values, which are read before anything is taken.
struct Heir {
  // One more for each execve(2).
  unsigned image = 1;
  std::string path;  // of Launch
  std::chrono::system_clock::time_point startedAt;
  Clock::time_point started;
  rlimit descriptors{};
  sigset_t signals{};  // that were blocked
  std::string note;    // for status
  unsigned upgrades = 0;
  // What waits for the end of this upgrade, and how to go on.
  bool isGraceful = false;
  std::vector<std::uint64_t> replies;
  bool isAskedAgain = false;
  std::vector<std::uint64_t> nextReplies;
  // Why the image before this one was left again, or empty; and its number.
  std::string failure;
  unsigned failedImage = 0;
  // What the configuration file of the image before held when that took it: on
  // the way back it may be one for newer code.
  std::string configText;
  // Processes of each Worker, and what its onMasterUpgrade() has returned.
  std::map<std::string, unsigned> counts;
  std::map<std::string, std::string> states;

  void carry(Archive& archive);
};

class Inheritance {
 public:
  // Empty in a process that was started. Removes the variable that tells.
  static std::optional<Inheritance> take();
  // For --check: whether it is an image of this program that asks.
  static bool isAsked();

  // "NAME=VALUE", for Launch::execute(): to be checked, and to be given that
  // state.
  static std::string variableForCheck();
  static std::string variableFor(int state);
  // A memfd with those bytes. Throws std::system_error.
  static FileDescriptor write(const Archive& archive);

  const Heir& heir() const { return heir_; }
  // From here on it is this process's. Behind the Heir and the image below.
  Archive& archive() {
    isTaken_ = true;
    return archive_;
  }
  // The code that ran before; kept until this one has proved itself.
  FileDescriptor takePrevious();

  // This image cannot take it: all goes back to the one before, which is told
  // why. Returns when that is impossible, as it is once something is taken.
  void goBack(const Launch& launch, const std::string& why) const;

 private:
  explicit Inheritance(std::string bytes);

  std::string bytes_;
  Archive archive_;
  Heir heir_;
  int previous_ = -1;
  bool isTaken_ = false;
};

}  // namespace brigade::detail
