#pragma once

// SavedConnection: all that is known of a connection but its socket, as it goes
// from one worker process to the one that follows it. A value.

#include <cstdint>
#include <string>
#include <string_view>

#include "brigade/Connection/ConnectionId.h"
#include "brigade/Connection/Endpoint.h"

namespace brigade {

struct SavedConnection {
  ConnectionId id;  // which it keeps
  Endpoint remote;
  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
  // 0: that of the table.
  std::uint32_t maxPackageSize = 0;
  std::uint32_t maxSendBufferSize = 0;
  std::uint32_t idleTimeoutMs = 0;
  bool hasIdleTimeout = false;  // of its own
  bool packageTimed = true;
  bool paused = false;
  bool full = false;
  bool ended = false;   // the peer has shut its writing side
  std::string unread;   // received, and not handled
  std::string unsent;   // taken, and not with the kernel
  std::string content;  // what its codec and its program know
};

std::string encode(const SavedConnection& connection);
// Throws std::exception for what encode() of this version has not written.
SavedConnection decodeConnection(std::string_view bytes);

}  // namespace brigade
