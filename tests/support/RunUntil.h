#pragma once

// Turns a loop until a condition holds, or ten seconds have passed.

#include <chrono>
#include <functional>

#include "brigade/Events/EventInterface.h"

namespace brigade::test {

// The condition as it is at the end: false means that the deadline passed.
inline bool runUntil(EventInterface& loop,
                     const std::function<bool()>& condition) {
  if (condition()) return true;
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  const TimerId check =
      loop.add(std::chrono::milliseconds(1), Repeat::kEvery, [&] {
        if (condition() || Clock::now() > deadline) loop.stop();
      });
  loop.loop();
  loop.del(check);
  return condition();
}

// Lets everything that is ready now be handled.
inline void turn(EventInterface& loop) {
  loop.add(std::chrono::milliseconds(0), Repeat::kOnce,
           [&] { loop.defer([&] { loop.stop(); }); });
  loop.loop();
}

}  // namespace brigade::test
