#include "brigade/Events/detail/Alarm.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <system_error>

namespace brigade::detail {

Alarm::Alarm() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) {
  if (!fd_) {
    throw std::system_error(errno, std::system_category(), "timerfd_create");
  }
}

void Alarm::set(Clock::time_point moment) {
  using std::chrono::duration_cast;
  using std::chrono::nanoseconds;
  using std::chrono::seconds;

  itimerspec spec{};  // All zero: disarmed.
  if (moment != Clock::time_point::max()) {
    const auto sinceBoot = moment.time_since_epoch();
    const auto whole = duration_cast<seconds>(sinceBoot);
    spec.it_value.tv_sec = whole.count();
    spec.it_value.tv_nsec =
        duration_cast<nanoseconds>(sinceBoot - whole).count();
  }
  // Forgets an expiry that nobody has read as well (timerfd_setup in
  // fs/timerfd.c), and with these arguments it cannot fail.
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace brigade::detail
