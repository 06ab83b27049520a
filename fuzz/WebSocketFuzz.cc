#include "brigade/Protocol/WebSocket.h"

#include <cstdlib>
#include <string>

#include "brigade/Protocol/detail/WebSocketWriter.h"
#include "fuzz/CodecFuzz.h"
#include "fuzz/WebSocketScript.h"

namespace {

using brigade::Message;
using brigade::WebSocket;
using brigade::WebSocketMessage;
using brigade::WebSocketShared;

WebSocketShared& shared() {
  // Small, so that the limits are reached.
  static WebSocketShared all(brigade::WebSocketLimits{
      .maxMessageSize = 400, .maxFrameSize = 300, .maxFragments = 5});
  return all;
}

// What was received can be sent, and is then the frame that RFC 6455 draws.
std::string describeAndSend(const Message& message) {
  const auto& object = message.as<WebSocketMessage>();
  std::string payload(object.data());
  if (object.code() != brigade::WebSocketCode::kNone) {
    payload = brigade::testing::closePayload(object.code(), payload);
  }
  std::string frame;
  brigade::detail::appendMessage(frame, object);
  if (frame != brigade::testing::serverFrame(
                   0x80 | static_cast<unsigned>(object.kind()), payload)) {
    std::abort();
  }
  return brigade::testing::describeWebSocket(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<WebSocket>(shared()); },
      .describe = describeAndSend,
      // A server's frames are not a client's.
      .survives = {}};
  const std::string stream = brigade::fuzz::WebSocketScript::stream(
      {reinterpret_cast<const char*>(data), size});
  return kFuzz.run(reinterpret_cast<const std::uint8_t*>(stream.data()),
                   stream.size());
}
