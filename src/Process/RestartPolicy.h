#pragma once

// RestartPolicy: whether what has ended is started again.

#include <cstdint>

namespace brigade {

enum class RestartPolicy : std::uint8_t {
  kKeepalive,  // always, with a back-off while it dies young
  kOnce,       // a Program: never, once it has run; a Worker: unless it ended
               // with exit 0
};

}  // namespace brigade
