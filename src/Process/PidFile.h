#pragma once

// PidFile: holds the pid of the running master, and a flock(2) on it as long as
// the master lives, so a stale file never blocks a start. 0600: whoever may
// read a file may lock it, and so keep the master from starting. A child that
// inherits the descriptor closes it (closeInChild), or it would hold the lock.

#include <sys/types.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

class Archive;

// "already running as pid 812 (/run/shout/shout.pid)".
class AlreadyRunning : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class PidFile {
 public:
  enum class State { kNone, kStale, kRunning };
  struct Holder {
    State state;
    pid_t pid;  // of the holder; of the dead one when kStale; else 0
  };

  // Takes the lock and writes the pid of this process. Throws AlreadyRunning,
  // or std::system_error naming the path.
  explicit PidFile(std::string path);
  ~PidFile();  // removes the file, unless closed in a child

  // What another image of this process held, over execve(2): with its lock.
  explicit PidFile(Archive& archive);
  void carry(Archive& archive);

  void closeInChild();

  // Who holds it, by its lock, never by its number alone.
  static Holder look(const std::string& path);

 private:
  void write();

  std::string path_;
  FileDescriptor fd_;
};

}  // namespace brigade
