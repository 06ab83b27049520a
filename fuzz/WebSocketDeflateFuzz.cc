// The codec with compression. Of half the compressed frames the payload is
// what the script says, of the other half its compression, so that inflating
// goes both wrong and right. What was received is sent again, and must be what
// a client inflates.
#include <cstdlib>
#include <string>

#include "brigade/Protocol/WebSocket.h"
#include "brigade/Protocol/detail/Deflate.h"
#include "fuzz/CodecFuzz.h"
#include "fuzz/WebSocketScript.h"

namespace {

using brigade::Message;
using brigade::WebSocket;
using brigade::WebSocketAgreement;
using brigade::WebSocketContext;
using brigade::WebSocketMessage;
using brigade::WebSocketShared;
using brigade::detail::Buffer;
using brigade::detail::Deflater;
using brigade::detail::Inflater;

constexpr brigade::WebSocketCompression kFast{
    .level = 1, .memoryLevel = 1, .threshold = 8};
constexpr std::size_t kMost = 2000;
// Small windows: to make large ones takes longer than a run.
constexpr int kBits = 9;

WebSocketShared& shared() {
  static WebSocketShared all(
      brigade::WebSocketLimits{
          .maxMessageSize = kMost, .maxFrameSize = 300, .maxFragments = 5},
      kFast);
  return all;
}

std::string packed(std::string_view message) {
  static Deflater deflater(kBits, kFast);
  Buffer out;
  deflater.deflate(message, WebSocketContext::kNone, out);
  return std::string(out.view());
}

std::string pack(unsigned first, std::string_view payload) {
  const bool compressed = (first & 0x40) != 0 && payload.size() % 2 == 0;
  return compressed && !payload.empty() ? packed(payload)
                                        : std::string(payload);
}

std::string encoded(const Message& message) {
  static WebSocket codec(
      shared(), WebSocketAgreement{.serverWindowBits = kBits,
                                   .clientWindowBits = kBits,
                                   .serverContext = WebSocketContext::kNone,
                                   .clientContext = WebSocketContext::kNone});
  static brigade::Output out;
  out.clear();
  codec.encode(message, out);
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

// What is sent is what was received, compressed or not.
void checkSent(std::string_view data) {
  const std::string frame = encoded(WebSocketMessage::binary(data).message());
  std::string_view payload = frame;
  payload.remove_prefix(frame[1] < 126 ? 2 : 4);
  static Inflater inflater(kBits);
  Buffer message;
  if (frame[0] == '\xc2') {
    const auto result = inflater.inflate(payload, WebSocketContext::kNone,
                                         data.size(), message);
    if (result != Inflater::Result::kWhole) std::abort();
    payload = message.view();
  }
  if (payload != data) std::abort();
}

std::string describe(const Message& message) {
  checkSent(message.data());
  return brigade::testing::describeWebSocket(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static WebSocketContext context = WebSocketContext::kNone;
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make =
          [] {
            return std::make_unique<WebSocket>(
                shared(), WebSocketAgreement{.serverWindowBits = kBits,
                                             .clientWindowBits = kBits,
                                             .serverContext = context,
                                             .clientContext = context});
          },
      .describe = describe,
      .survives = {}};
  context =
      size % 2 == 0 ? WebSocketContext::kNone : WebSocketContext::kTakeover;
  const std::string stream = brigade::fuzz::WebSocketScript::stream(
      {reinterpret_cast<const char*>(data), size}, pack);
  return kFuzz.run(reinterpret_cast<const std::uint8_t*>(stream.data()),
                   stream.size());
}
