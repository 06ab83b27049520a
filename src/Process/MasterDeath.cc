#include "brigade/Process/MasterDeath.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace brigade {
namespace {

constexpr int kMasterDied = SIGPWR;

// For the handler, which is given no context.
volatile sig_atomic_t alarmSeconds = 0;

void onMasterDied(int) { ::alarm(static_cast<unsigned>(alarmSeconds)); }

}  // namespace

void followMaster(pid_t master, std::chrono::seconds deadline) {
  alarmSeconds = static_cast<sig_atomic_t>(deadline.count() + 1);
  struct sigaction action {};
  action.sa_handler = onMasterDied;
  action.sa_flags = SA_RESTART;
  ::sigaction(kMasterDied, &action, nullptr);
  if (::prctl(PR_SET_PDEATHSIG, kMasterDied) != 0) {
    throw std::system_error(errno, std::generic_category(),
                            "cannot follow the master");
  }
  // It may have died before the setting.
  if (::getppid() != master) ::raise(SIGKILL);
}

}  // namespace brigade
