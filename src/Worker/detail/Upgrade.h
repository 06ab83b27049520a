#pragma once

// Upgrade: how the master becomes newer code of its program without letting go
// of anything: the same PID, sockets, children and state.
//
//   asked --> the file that lies there now is run with --check, in a child
//     --> its settings fit: as soon as nothing is half done, execve(2)
//     --> [new code] it takes over what is there (Inheritance)
//     --> worker processes are replaced one after the other
//     --> all serve: done. One cannot: execve(2) back to the code before, which
//         replaces those that have been replaced.
//
// Until the new processes are ready the old ones serve, so whatever fails
// changes nothing for clients. A request that comes meanwhile is met by this
// upgrade, or, when the file has changed once more, by another one behind it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/ImageCheck.h"
#include "brigade/Process/Launch.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Worker/detail/Inheritance.h"

namespace brigade::detail {

// The master, of which this is a part.
class UpgradeHandler {
 public:
  virtual bool isStopping() const = 0;
  // Nothing is half done. `patiently`: nor does anybody wait for an answer of
  // the program's own.
  virtual bool isQuiet(bool patiently) const = 0;
  // What waits for the end of this turn is done now.
  virtual void settle() = 0;
  // All but what is Upgrade's own.
  virtual void leave(Heir& heir) = 0;
  virtual void carry(Archive& archive) = 0;
  // In the new code, or, after a failure, in the code before.
  virtual void replaceAll(Grace grace) = 0;
  virtual void replaceThoseOf(unsigned image) = 0;
  // Those who wait for this upgrade.
  virtual void onUpgraded(const std::vector<std::uint64_t>& replies) = 0;
  virtual void onUpgradeFailed(const std::vector<std::uint64_t>& replies,
                               const std::string& reason) = 0;
  // In the child that is to check the new code, first of all.
  virtual void inCheck() = 0;

 protected:
  ~UpgradeHandler() = default;
};

class Upgrade {
 public:
  // `plan` is of planOf(), before the program has changed anything.
  Upgrade(EventInterface& loop, Launch launch, std::vector<std::string> plan,
          UpgradeHandler& handler);
  ~Upgrade();
  Upgrade(const Upgrade&) = delete;
  Upgrade& operator=(const Upgrade&) = delete;

  // Which image of the program this is: 1 in a process that was started.
  unsigned image() const { return image_; }
  void setImage(unsigned image) { image_ = image; }
  unsigned upgrades() const { return upgrades_; }
  bool isUnderWay() const { return wish_.has_value(); }
  // Whether other code lies where that of this process was.
  bool isReplaced() const { return launch_.isReplaced(); }
  // What the log says of a reload when none lies there any more; or empty.
  std::string warning() const;

  // `reply` is told of with the result; 0: nobody.
  void ask(Grace grace, std::uint64_t reply);

  // The program stops: there is no upgrade any more.
  void cancel();

  // In a process that has inherited, once everything is taken over.
  void resume(Inheritance& inheritance);
  // All worker processes are replaced, or one could not be.
  void replaced(bool ok, const std::string& reason);

  bool owns(pid_t pid) const { return check_ && check_->pid() == pid; }
  void closeInChild();

 private:
  struct Wish {
    Grace grace;
    std::vector<std::uint64_t> replies;
  };

  void begin();
  void checked(std::string_view reason, std::string_view output);
  void await();
  void tryToBecome();
  void becomeNow();
  void become(int image, const std::string& failure);
  void finish();
  void fail(const std::string& reason);
  // The code that runs has not been left.
  void refuse(const std::string& reason);

  EventInterface& loop_;
  Launch launch_;
  std::vector<std::string> plan_;
  UpgradeHandler& handler_;
  unsigned image_ = 1;
  unsigned upgrades_ = 0;
  std::optional<Wish> wish_;
  std::optional<Wish> next_;
  std::unique_ptr<ImageCheck> check_;
  FileDescriptor candidate_;  // the code that is checked
  FileDescriptor previous_;   // the code before, until this one is proved
  std::string failure_;       // of this code: it goes back, for that reason
  TimerId looks_{};           // for the moment when nothing is half done
  Clock::time_point accepted_{};
};

}  // namespace brigade::detail
