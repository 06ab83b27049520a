#include "brigade/Connection/SavedConnection.h"

#include <stdexcept>
#include <type_traits>

#include "brigade/Protocol/SavedState.h"

namespace brigade {
namespace {

// Another one for another layout: the two processes may be two builds.
constexpr std::uint32_t kVersion = 0xB4D10001;

static_assert(std::is_trivially_copyable_v<Endpoint> && sizeof(Endpoint) == 20,
              "what is written has changed: so does its version");

}  // namespace

std::string encode(const SavedConnection& connection) {
  StateWriter state;
  state.put(kVersion);
  state.put(connection.id.value());
  state.put(connection.remote);
  state.put(connection.bytesRead);
  state.put(connection.bytesWritten);
  state.put(connection.maxPackageSize);
  state.put(connection.maxSendBufferSize);
  state.put(connection.idleTimeoutMs);
  for (const bool flag :
       {connection.hasIdleTimeout, connection.packageTimed, connection.paused,
        connection.full, connection.ended}) {
    state.put(static_cast<std::uint8_t>(flag));
  }
  state.putBytes(connection.unread);
  state.putBytes(connection.unsent);
  state.putBytes(connection.content);
  return state.take();
}

SavedConnection decodeConnection(std::string_view bytes) {
  StateReader state(bytes);
  if (state.get<std::uint32_t>() != kVersion) {
    throw std::runtime_error("a connection of another version of brigade");
  }
  SavedConnection connection;
  connection.id = ConnectionId::of(state.get<std::uint64_t>());
  connection.remote = state.get<Endpoint>();
  connection.bytesRead = state.get<std::uint64_t>();
  connection.bytesWritten = state.get<std::uint64_t>();
  connection.maxPackageSize = state.get<std::uint32_t>();
  connection.maxSendBufferSize = state.get<std::uint32_t>();
  connection.idleTimeoutMs = state.get<std::uint32_t>();
  for (bool* const flag :
       {&connection.hasIdleTimeout, &connection.packageTimed,
        &connection.paused, &connection.full, &connection.ended}) {
    *flag = state.get<std::uint8_t>() != 0;
  }
  connection.unread = state.getBytes();
  connection.unsent = state.getBytes();
  connection.content = state.getBytes();
  return connection;
}

}  // namespace brigade
