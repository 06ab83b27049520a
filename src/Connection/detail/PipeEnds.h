#pragma once

// PipeEnds: where a piped connection's messages go, and whose messages come
// to it. Only piped connections have one.

#include "brigade/Connection/ConnectionId.h"

namespace brigade::detail {

struct PipeEnds {
  ConnectionId to;
  ConnectionId from;
};

}  // namespace brigade::detail
