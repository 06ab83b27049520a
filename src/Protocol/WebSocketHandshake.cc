#include "brigade/Protocol/WebSocketHandshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "brigade/Protocol/HttpResponse.h"
#include "brigade/Protocol/detail/ExtensionOffer.h"

namespace brigade {
namespace {

using detail::sameToken;

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kKeySize = 24;  // 16 bytes in base64
constexpr std::size_t kAcceptSize = 28;

constexpr HttpHeader kAllow[] = {{"Allow", "GET"}};
constexpr HttpHeader kUpgrade[] = {{"Upgrade", "websocket"},
                                   {"Sec-WebSocket-Version", "13"}};
constexpr HttpHeader kVersion[] = {{"Sec-WebSocket-Version", "13"},
                                   {"Upgrade", "websocket"}};

// ---- The fields of a request

class Fields {
 public:
  explicit Fields(std::span<const HttpHeader> all) : all_(all) {}

  std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        all_.begin(), all_.end(),
        [&](const HttpHeader& field) { return sameToken(field.name, name); }));
  }
  std::string_view first(std::string_view name) const {
    for (const HttpHeader& field : all_) {
      if (sameToken(field.name, name)) return field.value;
    }
    return {};
  }
  // Whether a list, which several fields may make up, has that token.
  bool lists(std::string_view name, std::string_view token) const {
    return std::any_of(all_.begin(), all_.end(), [&](const HttpHeader& field) {
      return sameToken(field.name, name) && detail::listHas(field.value, token);
    });
  }
  // The values of all fields of that name, as one list (RFC 9110, 5.3).
  std::string joined(std::string_view name) const {
    std::string all;
    for (const HttpHeader& field : all_) {
      if (!sameToken(field.name, name)) continue;
      if (!all.empty()) all += ", ";
      all += field.value;
    }
    return all;
  }
  std::span<const HttpHeader> all() const { return all_; }

 private:
  std::span<const HttpHeader> all_;
};

// ---- What may be wrong

struct Refused {
  unsigned status;
  std::string_view reason;
  std::span<const HttpHeader> fields = {};
};

// 16 bytes in base64. The bits that no byte needs may be anything: RFC 6455,
// 4.1 has an example that sets some.
bool isKey(std::string_view key) {
  const auto isDigit = [](char c) {
    return detail::isAlphanumeric(c) || c == '+' || c == '/';
  };
  return key.size() == kKeySize && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, isDigit);
}

bool isAllowed(const Fields& fields, const std::vector<std::string>& origins) {
  if (origins.empty()) return true;
  if (fields.count("Origin") > 1) return false;
  const std::string_view origin = fields.first("Origin");
  return std::any_of(
      origins.begin(), origins.end(),
      [&](const std::string& allowed) { return sameToken(allowed, origin); });
}

// What follows the request is frames: it can have no body.
bool hasBody(const Fields& fields) {
  if (fields.count("Transfer-Encoding") > 0) return true;
  return fields.count("Content-Length") > 0 &&
         fields.first("Content-Length") != "0";
}

std::optional<Refused> findRequestFault(std::string_view method,
                                        unsigned minorVersion,
                                        const Fields& fields) {
  if (method != "GET") return Refused{405, "a WebSocket needs GET", kAllow};
  if (minorVersion < 1) return Refused{400, "a WebSocket needs HTTP/1.1"};
  if (fields.count("Host") != 1) return Refused{400, "no Host"};
  if (!fields.lists("Upgrade", "websocket")) {
    return Refused{426, "only WebSockets are served here", kUpgrade};
  }
  if (!fields.lists("Connection", "upgrade")) {
    return Refused{400, "Connection has no upgrade"};
  }
  if (hasBody(fields)) return Refused{400, "a body before the WebSocket"};
  return std::nullopt;
}

std::optional<Refused> findFault(const Fields& fields,
                                 const std::vector<std::string>& origins) {
  if (fields.count("Sec-WebSocket-Version") != 1) {
    return Refused{400, "not one Sec-WebSocket-Version"};
  }
  if (fields.first("Sec-WebSocket-Version") != "13") {
    return Refused{426, "the version of WebSocket is 13", kVersion};
  }
  if (fields.count("Sec-WebSocket-Key") != 1 ||
      !isKey(fields.first("Sec-WebSocket-Key"))) {
    return Refused{400, "Sec-WebSocket-Key is not 16 bytes in base64"};
  }
  if (!isAllowed(fields, origins)) {
    return Refused{403, "this origin may not connect"};
  }
  return std::nullopt;
}

WebSocketHandshake refuse(const Refused& refused) {
  WebSocketHandshake handshake;
  handshake.status = refused.status;
  handshake.reason = refused.reason;
  handshake.fields = refused.fields;
  return handshake;
}

// ---- What is agreed on

// False: not a list of different tokens (RFC 6455, 4.1).
bool readProtocols(const Fields& fields,
                   std::vector<std::string_view>& protocols) {
  for (const HttpHeader& field : fields.all()) {
    if (!sameToken(field.name, "Sec-WebSocket-Protocol")) continue;
    if (!detail::readTokens(field.value, protocols)) return false;
  }
  std::vector<std::string_view> sorted = protocols;
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

// False: the field is malformed.
bool agree(const Fields& fields, WebSocketHandshake& handshake,
           const WebSocketHandshakeOptions& options) {
  const std::string list = fields.joined("Sec-WebSocket-Extensions");
  // An empty field offers nothing: python3-websockets sends it so.
  if (list.empty()) return true;
  std::vector<detail::ExtensionOffer> offers;
  if (!detail::readOffers(list, offers)) return false;
  if (!options.compression) return true;
  for (const detail::ExtensionOffer& offer : offers) {
    handshake.compression =
        detail::agree(offer, *options.compression, handshake.extensions);
    if (handshake.compression) break;
  }
  return true;
}

// RFC 6455, 4.2.2, 5.4.
std::string acceptOf(std::string_view key) {
  // Fetched once: it takes longer than the digest itself.
  static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> kSha1(
      EVP_MD_fetch(nullptr, "SHA1", nullptr), &EVP_MD_free);
  std::string text(key);
  text += kGuid;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!kSha1 || EVP_Digest(text.data(), text.size(), digest, &size, kSha1.get(),
                           nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-1, which a WebSocket needs");
  }
  unsigned char accept[kAcceptSize + 1];
  EVP_EncodeBlock(accept, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(accept), kAcceptSize};
}

// ---- The answer

void appendField(Output& out, std::string_view name, std::string_view value) {
  out.append(name);
  out.append(": ");
  out.append(value);
  out.append("\r\n");
}

void appendFields(Output& out, std::span<const HttpHeader> fields) {
  for (const HttpHeader& field : fields) {
    appendField(out, field.name, field.value);
  }
}

void appendRefusal(Output& out, const WebSocketHandshake& handshake,
                   std::span<const HttpHeader> fields) {
  const std::string status = std::to_string(handshake.status);
  out.append("HTTP/1.1 " + status + " ");
  out.append(httpReason(handshake.status));
  out.append("\r\n");
  appendFields(out, handshake.fields);
  appendFields(out, fields);
  const bool upgrade = handshake.status == 426;  // RFC 9110, 7.8
  appendField(out, "Connection", upgrade ? "Upgrade, close" : "close");
  appendField(out, "Content-Type", "text/plain");
  appendField(out, "Content-Length",
              std::to_string(handshake.reason.size() + 1));
  out.append("\r\n");
  out.append(handshake.reason);
  out.append('\n');
}

}  // namespace

bool wantsWebSocket(std::span<const HttpHeader> headers) {
  return Fields(headers).lists("Upgrade", "websocket");
}

WebSocketHandshake checkHandshake(const HttpRequest& request,
                                  const WebSocketHandshakeOptions& options) {
  return checkHandshake(request.method(), request.minorVersion(),
                        request.headers(), options);
}

WebSocketHandshake checkHandshake(std::string_view method,
                                  unsigned minorVersion,
                                  std::span<const HttpHeader> headers,
                                  const WebSocketHandshakeOptions& options) {
  const Fields fields(headers);
  auto fault = findRequestFault(method, minorVersion, fields);
  if (!fault) fault = findFault(fields, options.allowedOrigins);
  if (fault) return refuse(*fault);
  WebSocketHandshake handshake;
  if (!readProtocols(fields, handshake.protocols)) {
    return refuse({400, "Sec-WebSocket-Protocol is malformed"});
  }
  if (!agree(fields, handshake, options)) {
    return refuse({400, "Sec-WebSocket-Extensions is malformed"});
  }
  handshake.accept = acceptOf(fields.first("Sec-WebSocket-Key"));
  return handshake;
}

void appendHandshakeAnswer(Output& out, const WebSocketHandshake& handshake,
                           std::string_view protocol,
                           std::span<const HttpHeader> fields) {
  if (!handshake.accepted()) {
    appendRefusal(out, handshake, fields);
    return;
  }
  const auto& offered = handshake.protocols;
  if (!protocol.empty() &&
      std::find(offered.begin(), offered.end(), protocol) == offered.end()) {
    throw std::invalid_argument("the client does not offer the subprotocol '" +
                                std::string(protocol) + "'");
  }
  out.append(
      "HTTP/1.1 101 Switching Protocols\r\n"
      "Upgrade: websocket\r\n"
      "Connection: Upgrade\r\n");
  appendField(out, "Sec-WebSocket-Accept", handshake.accept);
  if (!protocol.empty()) appendField(out, "Sec-WebSocket-Protocol", protocol);
  if (!handshake.extensions.empty()) {
    appendField(out, "Sec-WebSocket-Extensions", handshake.extensions);
  }
  appendFields(out, fields);
  out.append("\r\n");
}

}  // namespace brigade
