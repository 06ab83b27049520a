#pragma once

// ImageCheck: runs another image of the program in a child, with arguments that
// have it look at its settings and end, and tells how that went. The child has
// no descriptor of this process but its output, which is read here.

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/ExitStatus.h"
#include "brigade/Process/Launch.h"

namespace brigade {

class ImageCheck {
 public:
  // Of its output; the rest is thrown away.
  static constexpr std::size_t kMaxOutput = 64 * 1024;

  // `reason` is empty when it has ended by itself with 0.
  using Done =
      std::function<void(std::string_view reason, std::string_view output)>;
  struct Options {
    int image;
    std::vector<std::string> arguments;  // behind those of the launch
    std::string variable;                // "NAME=VALUE"
    // Then it is killed.
    Clock::duration patience = std::chrono::seconds(10);
    std::function<void()> inChild;  // before execve(2)
  };

  // Throws std::runtime_error when it cannot be started. `done` may destroy
  // this.
  ImageCheck(EventInterface& loop, const Launch& launch, Options options,
             Done done);
  // Ends the child.
  ~ImageCheck();
  ImageCheck(const ImageCheck&) = delete;
  ImageCheck& operator=(const ImageCheck&) = delete;

  pid_t pid() const { return pid_; }
  // In another child of this process: closes the copies of what this holds.
  void closeInChild();

 private:
  struct End final : Watcher {
    explicit End(std::function<void()> call) : onReadable(std::move(call)) {}
    void onReady(Ready) override { onReadable(); }
    std::function<void()> onReadable;
  };

  void becomeImage(const Launch& launch, const Options& options,
                   FileDescriptor output);
  void read();
  void ended();
  std::string reasonOf(const ExitStatus& status) const;

  EventInterface& loop_;
  Done done_;
  pid_t pid_ = 0;
  FileDescriptor pidfd_;
  FileDescriptor output_;
  End exit_;
  End text_;
  TimerId deadline_{};
  bool tooSlow_ = false;
  std::string said_;
};

}  // namespace brigade
