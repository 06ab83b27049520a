// The handshake of a WebSocket. An input is the fields of a request, a line
// each, "name:value"; with "!" in front the line begins a request that is in
// order but for what follows.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/WebSocketHandshake.h"

namespace {

using brigade::HttpHeader;
using brigade::WebSocketContext;
using brigade::WebSocketHandshake;

constexpr HttpHeader kGood[] = {
    {"Host", "a"},
    {"Upgrade", "websocket"},
    {"Connection", "Upgrade"},
    {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
    {"Sec-WebSocket-Version", "13"}};

void check(bool holds) {
  if (!holds) std::abort();
}

std::vector<HttpHeader> headersOf(std::string_view text) {
  std::vector<HttpHeader> headers;
  if (text.starts_with('!')) {
    headers.assign(std::begin(kGood), std::end(kGood));
    text.remove_prefix(1);
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    headers.push_back(
        {line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return headers;
}

bool isWindow(int bits) { return bits >= 8 && bits <= 15; }

void checkAccepted(const WebSocketHandshake& handshake) {
  check(handshake.accept.size() == 28);
  check(handshake.compression.has_value() == !handshake.extensions.empty());
  if (!handshake.compression) return;
  check(isWindow(handshake.compression->serverWindowBits));
  check(isWindow(handshake.compression->clientWindowBits));
  check(handshake.compression->clientWindowBits <= 12);
  // A client that offers the answer is agreed with in the same way.
  std::vector<HttpHeader> headers(std::begin(kGood), std::end(kGood));
  headers.push_back({"Sec-WebSocket-Extensions", handshake.extensions});
  brigade::WebSocketHandshakeOptions options;
  options.compression = brigade::WebSocketCompression{
      .serverContext = WebSocketContext::kTakeover,
      .clientContext = WebSocketContext::kTakeover};
  const WebSocketHandshake again =
      brigade::checkHandshake("GET", 1, headers, options);
  check(again.compression == handshake.compression);
  check(again.extensions == handshake.extensions);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::WebSocketHandshakeOptions kOptions = [] {
    brigade::WebSocketHandshakeOptions options;
    options.allowedOrigins = {"http://a", ""};
    options.compression = brigade::WebSocketCompression{
        .clientWindowBits = 12, .serverContext = WebSocketContext::kTakeover};
    return options;
  }();
  static brigade::Output out;
  const auto headers = headersOf({reinterpret_cast<const char*>(data), size});
  const WebSocketHandshake handshake =
      brigade::checkHandshake("GET", 1, headers, kOptions);
  check(handshake.accepted() == handshake.reason.empty());
  if (handshake.accepted()) {
    check(brigade::wantsWebSocket(headers));
    checkAccepted(handshake);
  }
  out.clear();
  brigade::appendHandshakeAnswer(
      out, handshake,
      handshake.protocols.empty() ? "" : handshake.protocols.back());
  check(!out.empty());
  return 0;
}
