#pragma once

// Launch: how this process was started, kept so that it can be replaced by
// newer code of the same program, under the same PID (execve(2)), and where
// that code is looked for.

#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/FileDescriptor.h"

namespace brigade {

class Launch {
 public:
  // First of all in main(), before anything changes the directory or the
  // arguments. Throws std::system_error.
  Launch(int argc, char** argv);

  // Where the program's file lies, absolute: by the name that it was called by
  // when that is its own (a link that is turned to a newer file is followed),
  // else as the kernel knows it.
  const std::string& path() const { return path_; }
  // In an image that execute() began: the path is the same as before, and so is
  // the name that ps(1) shows, which before Linux 6.14 is the number of the
  // descriptor that was executed.
  void resumeAs(std::string path);
  const std::vector<std::string>& arguments() const { return arguments_; }

  // The code that runs, also when its file is gone.
  int image() const { return image_.get(); }
  // The code that lies there now. Throws std::system_error naming the path.
  FileDescriptor open() const;
  // Whether that is another one than runs; false when there is none.
  bool isReplaced() const;
  // There is none.
  bool isGone() const;

  // In a child that does not become anything.
  void closeInChild();

  // Becomes that image, with the arguments of this one and those behind them,
  // in the directory of the start. `variable` is "NAME=VALUE", for the
  // environment. Returns only when that fails, with errno.
  void execute(int image, const std::vector<std::string>& more,
               const std::string& variable) const;

 private:
  std::vector<std::string> arguments_;
  FileDescriptor directory_;
  FileDescriptor image_;
  std::string path_;
};

}  // namespace brigade
