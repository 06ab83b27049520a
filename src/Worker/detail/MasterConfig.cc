// What a reload takes from the configuration file.

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Configuration.h"
#include "brigade/Worker/detail/Master.h"

namespace brigade::detail {

std::string Master::whyNoReload() const {
  if (runningStatus() == RunningStatus::kStarting) return kStarting;
  try {
    if (file_ != nullptr) file_->check();
  } catch (const BadConfigFile& error) {
    return error.what();
  }
  return {};
}

// It was right when the reload was asked for; what is wrong by now waits for
// the next one.
void Master::rereadConfiguration() {
  if (file_ == nullptr) return;
  try {
    for (const std::string& key : file_->reread()) {
      log(LogLevel::kWarning,
          "a change of " + key + " waits for the next start");
    }
  } catch (const BadConfigFile& error) {
    log(LogLevel::kError,
        std::string(error.what()) + "; what was read before holds");
  }
}

}  // namespace brigade::detail
