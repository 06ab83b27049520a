#include "brigade/Protocol/WebSocketHandshake.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace brigade {
namespace {

using Headers = std::vector<HttpHeader>;
constexpr auto kNone = WebSocketContext::kNone;
constexpr auto kTakeover = WebSocketContext::kTakeover;

// RFC 6455, 1.2 and 1.3.
const Headers kGood = {{"Host", "server.example.com"},
                       {"Upgrade", "websocket"},
                       {"Connection", "Upgrade"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                       {"Origin", "http://example.com"},
                       {"Sec-WebSocket-Version", "13"}};

// The good request with a field changed, or with none of that name.
Headers with(std::string_view name, std::optional<std::string_view> value) {
  Headers headers;
  for (const HttpHeader& header : kGood) {
    if (header.name != name) headers.push_back(header);
  }
  if (value) headers.push_back({name, *value});
  return headers;
}

Headers and_(Headers headers, std::string_view name, std::string_view value) {
  headers.push_back({name, value});
  return headers;
}

WebSocketHandshake check(const Headers& headers,
                         const WebSocketHandshakeOptions& options = {}) {
  return checkHandshake("GET", 1, headers, options);
}

std::string answer(const WebSocketHandshake& handshake,
                   std::string_view protocol = {},
                   std::span<const HttpHeader> fields = {}) {
  Output out;
  appendHandshakeAnswer(out, handshake, protocol, fields);
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  return bytes;
}

struct Case {
  const char* name;
  Headers headers;
  unsigned status;
};

const std::vector<Case> kCases = {
    {"4.1 as it should be", kGood, 101},
    {"4.2.1 names in any case",
     and_(with("Upgrade", {}), "UPGRADE", "websocket"), 101},
    {"4.2.1 values in any case", with("Upgrade", "WebSocket"), 101},
    {"4.2.1 Connection in any case", with("Connection", "upgrade"), 101},
    {"4.2.1 Connection with more", with("Connection", "keep-alive, Upgrade"),
     101},
    {"4.2.1 Connection in two fields",
     and_(with("Connection", "keep-alive"), "Connection", "Upgrade"), 101},
    {"4.2.1 Upgrade with more", with("Upgrade", "h2c , websocket"), 101},
    {"4.2.1 a request without Origin", with("Origin", {}), 101},
    {"4.2.1 fields that say nothing", and_(kGood, "Cookie", "a=b"), 101},
    {"4.2.1 a length of no body", and_(kGood, "Content-Length", "0"), 101},
    {"4.1 the key of its example",
     with("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="), 101},
    {"4.2.1 no Host", with("Host", {}), 400},
    {"4.2.1 two Hosts", and_(kGood, "Host", "b"), 400},
    {"4.2.1 no Upgrade", with("Upgrade", {}), 426},
    {"4.2.1 another Upgrade", with("Upgrade", "h2c"), 426},
    {"4.2.1 part of a token", with("Upgrade", "websockets"), 426},
    {"4.2.1 no Connection", with("Connection", {}), 400},
    {"4.2.1 another Connection", with("Connection", "keep-alive"), 400},
    {"4.2.1 no key", with("Sec-WebSocket-Key", {}), 400},
    {"4.2.1 two keys",
     and_(kGood, "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), 400},
    {"4.2.1 an empty key", with("Sec-WebSocket-Key", ""), 400},
    {"4.2.1 a key of 15 bytes",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"), 400},
    {"4.2.1 a key of 17 bytes",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQE="), 400},
    {"4.2.1 a key of 18 bytes",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQEB"), 400},
    {"4.2.1 a key without its end",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400},
    {"4.2.1 a key that is no base64",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZS-ub25jZQ=="), 400},
    {"4.2.1 a key with a blank",
     with("Sec-WebSocket-Key", "dGhlIHNhbXBsZ Bub25jZQ=="), 400},
    {"4.2.1 no version", with("Sec-WebSocket-Version", {}), 400},
    {"4.2.1 two versions", and_(kGood, "Sec-WebSocket-Version", "13"), 400},
    {"4.4 an older version", with("Sec-WebSocket-Version", "8"), 426},
    {"4.4 a version to come", with("Sec-WebSocket-Version", "14"), 426},
    {"4.4 a version with a zero", with("Sec-WebSocket-Version", "013"), 426},
    {"a body", and_(kGood, "Content-Length", "5"), 400},
    {"a chunked body", and_(kGood, "Transfer-Encoding", "chunked"), 400},
    {"4.1 a subprotocol", and_(kGood, "Sec-WebSocket-Protocol", "chat"), 101},
    {"4.1 the same one twice",
     and_(kGood, "Sec-WebSocket-Protocol", "chat, chat"), 400},
    {"4.1 no subprotocol in the field",
     and_(kGood, "Sec-WebSocket-Protocol", ""), 400},
    {"4.1 a subprotocol that is no token",
     and_(kGood, "Sec-WebSocket-Protocol", "chat room"), 400},
    {"4.1 a subprotocol in quotes",
     and_(kGood, "Sec-WebSocket-Protocol", "\"chat\""), 400},
    {"9.1 an extension that nobody knows",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; bar=\"baz\", quux"), 101},
    {"9.1 a list that ends with a comma",
     and_(kGood, "Sec-WebSocket-Extensions", "foo,"), 400},
    {"9.1 a parameter without a name",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; =1"), 400},
    {"9.1 a parameter without its value",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; a="), 400},
    {"9.1 a value that is no token",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; a=\"b c\""), 400},
    {"9.1 quotes that do not end",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; a=\"b"), 400},
    {"9.1 an escape at the end",
     and_(kGood, "Sec-WebSocket-Extensions", "foo; a=\"b\\"), 400},
    {"9.1 an empty field offers nothing",
     and_(kGood, "Sec-WebSocket-Extensions", ""), 101},
};

TEST(WebSocketHandshake, EachCaseOfRfc6455HasItsStatus) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const WebSocketHandshake handshake = check(c.headers);
    EXPECT_EQ(handshake.status, c.status) << handshake.reason;
    EXPECT_EQ(handshake.accepted(), c.status == 101);
    EXPECT_EQ(handshake.reason.empty(), c.status == 101);
  }
}

TEST(WebSocketHandshake, OnlyGetOfHttp11Will) {
  EXPECT_EQ(checkHandshake("POST", 1, kGood, {}).status, 405U);
  EXPECT_EQ(checkHandshake("get", 1, kGood, {}).status, 405U);
  EXPECT_EQ(checkHandshake("GET", 0, kGood, {}).status, 400U);
}

// RFC 6455, 1.3.
TEST(WebSocketHandshake, TheAnswerProvesThatTheKeyWasRead) {
  EXPECT_EQ(answer(check(kGood)),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "\r\n");
}

TEST(WebSocketHandshake, TheAnswerNamesWhatWasChosen) {
  WebSocketHandshakeOptions options;
  options.compression = WebSocketCompression{};
  const WebSocketHandshake handshake =
      check(and_(and_(and_(kGood, "Sec-WebSocket-Protocol", "a, b"),
                      "Sec-WebSocket-Protocol", "c"),
                 "Sec-WebSocket-Extensions", "permessage-deflate"),
            options);
  EXPECT_EQ(handshake.protocols,
            (std::vector<std::string_view>{"a", "b", "c"}));
  const HttpHeader cookie[] = {{"Set-Cookie", "x=y"}};
  EXPECT_EQ(answer(handshake, "c", cookie),
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            "Sec-WebSocket-Protocol: c\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; "
            "server_no_context_takeover; client_no_context_takeover\r\n"
            "Set-Cookie: x=y\r\n"
            "\r\n");
}

TEST(WebSocketHandshake, ASubprotocolThatIsNotOfferedCannotBeChosen) {
  Output out;
  const WebSocketHandshake handshake =
      check(and_(kGood, "Sec-WebSocket-Protocol", "a"));
  EXPECT_THROW(appendHandshakeAnswer(out, handshake, "b"),
               std::invalid_argument);
  EXPECT_TRUE(out.empty());
}

// RFC 6455, 4.4, and RFC 9110, 15.5.22.
TEST(WebSocketHandshake, ARefusalSaysWhatWouldDo) {
  EXPECT_EQ(answer(check(with("Sec-WebSocket-Version", "8"))),
            "HTTP/1.1 426 Upgrade Required\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Upgrade: websocket\r\n"
            "Connection: Upgrade, close\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 31\r\n"
            "\r\n"
            "the version of WebSocket is 13\n");
  EXPECT_EQ(answer(checkHandshake("PUT", 1, kGood, {})),
            "HTTP/1.1 405 Method Not Allowed\r\n"
            "Allow: GET\r\n"
            "Connection: close\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 22\r\n"
            "\r\n"
            "a WebSocket needs GET\n");
}

TEST(WebSocketHandshake, ARequestThatWantsAWebSocketIsKnown) {
  EXPECT_TRUE(wantsWebSocket(kGood));
  EXPECT_TRUE(wantsWebSocket(with("Sec-WebSocket-Version", "8")));
  EXPECT_FALSE(wantsWebSocket(with("Upgrade", {})));
  EXPECT_FALSE(wantsWebSocket(with("Upgrade", "h2c")));
}

// RFC 6455, 10.2.
TEST(WebSocketHandshake, OnlyPagesOfTheListMayConnect) {
  WebSocketHandshakeOptions options;
  options.allowedOrigins = {"https://a.example", "http://EXAMPLE.com"};
  EXPECT_EQ(check(kGood, options).status, 101U);
  for (const char* origin :
       {"http://example.org", "https://example.com", "null", "",
        "http://example.com.evil.example", "http://example.com:81"}) {
    EXPECT_EQ(check(with("Origin", origin), options).status, 403U) << origin;
  }
  EXPECT_EQ(check(with("Origin", {}), options).status, 403U);
  EXPECT_EQ(check(and_(kGood, "Origin", "http://example.com"), options).status,
            403U);
  options.allowedOrigins.emplace_back("");
  EXPECT_EQ(check(with("Origin", {}), options).status, 101U);
}

// ---- RFC 7692, 7.1

struct Offer {
  const char* name;
  std::string_view offers;
  WebSocketCompression ours;
  std::string answer;  // empty: declined
  WebSocketAgreement agreed = {};
};

const WebSocketCompression kAll{.serverContext = kTakeover,
                                .clientContext = kTakeover};
const WebSocketCompression kSmall{.serverWindowBits = 10,
                                  .clientWindowBits = 11,
                                  .serverContext = kTakeover,
                                  .clientContext = kTakeover};

const std::vector<Offer> kOffers = {
    {"7.1 nothing asked", "permessage-deflate", kAll, "permessage-deflate"},
    {"7.1 a browser", "permessage-deflate; client_max_window_bits", kAll,
     "permessage-deflate"},
    {"7.1 another extension", "x-webkit-deflate-frame", kAll, ""},
    {"7.1 behind another one", "foo, permessage-deflate", kAll,
     "permessage-deflate"},
    {"7.1 an unknown parameter", "permessage-deflate; foo", kAll, ""},
    {"7.1 of several offers the first that is valid",
     "permessage-deflate; foo, permessage-deflate; server_max_window_bits=7, "
     "permessage-deflate; server_max_window_bits=9, permessage-deflate",
     kAll,
     "permessage-deflate; server_max_window_bits=9",
     {.serverWindowBits = 9}},
    {"7.1.1.1 server_no_context_takeover",
     "permessage-deflate; server_no_context_takeover",
     kAll,
     "permessage-deflate; server_no_context_takeover",
     {.serverContext = kNone}},
    {"7.1.1.1 with a value", "permessage-deflate; server_no_context_takeover=1",
     kAll, ""},
    {"7.1.1.1 twice",
     "permessage-deflate; server_no_context_takeover; "
     "server_no_context_takeover",
     kAll, ""},
    {"7.1.1.1 ours alone",
     "permessage-deflate",
     {.clientContext = kTakeover},
     "permessage-deflate; server_no_context_takeover",
     {.serverContext = kNone}},
    {"7.1.1.2 client_no_context_takeover",
     "permessage-deflate; client_no_context_takeover",
     kAll,
     "permessage-deflate; client_no_context_takeover",
     {.clientContext = kNone}},
    {"7.1.1.2 ours alone",
     "permessage-deflate",
     {.serverContext = kTakeover},
     "permessage-deflate; client_no_context_takeover",
     {.clientContext = kNone}},
    {"7.1.1.2 with a value",
     "permessage-deflate; client_no_context_takeover=\"x\"", kAll, ""},
    {"7.1.2.1 server_max_window_bits",
     "permessage-deflate; server_max_window_bits=8",
     kAll,
     "permessage-deflate; server_max_window_bits=8",
     {.serverWindowBits = 8}},
    {"7.1.2.1 the largest", "permessage-deflate; server_max_window_bits=15",
     kAll, "permessage-deflate; server_max_window_bits=15"},
    {"7.1.2.1 in quotes",
     "permessage-deflate; server_max_window_bits=\"12\"",
     kAll,
     "permessage-deflate; server_max_window_bits=12",
     {.serverWindowBits = 12}},
    {"7.1.2.1 in quotes with an escape",
     "permessage-deflate; server_max_window_bits=\"1\\2\"",
     kAll,
     "permessage-deflate; server_max_window_bits=12",
     {.serverWindowBits = 12}},
    {"7.1.2.1 without a value", "permessage-deflate; server_max_window_bits",
     kAll, ""},
    {"7.1.2.1 too small", "permessage-deflate; server_max_window_bits=7", kAll,
     ""},
    {"7.1.2.1 too large", "permessage-deflate; server_max_window_bits=16", kAll,
     ""},
    {"7.1.2.1 a zero in front", "permessage-deflate; server_max_window_bits=08",
     kAll, ""},
    {"7.1.2.1 no number", "permessage-deflate; server_max_window_bits=1x", kAll,
     ""},
    {"7.1.2.1 twice",
     "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
     kAll, ""},
    {"7.1.2.1 ours is smaller",
     "permessage-deflate; server_max_window_bits=12; client_max_window_bits",
     kSmall,
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
     {.serverWindowBits = 10, .clientWindowBits = 11}},
    {"7.1.2.2 client_max_window_bits with a value",
     "permessage-deflate; client_max_window_bits=9",
     kAll,
     "permessage-deflate; client_max_window_bits=9",
     {.clientWindowBits = 9}},
    {"7.1.2.2 smaller than ours",
     "permessage-deflate; client_max_window_bits=9",
     kSmall,
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9",
     {.serverWindowBits = 10, .clientWindowBits = 9}},
    {"7.1.2.2 larger than ours",
     "permessage-deflate; client_max_window_bits=15",
     kSmall,
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
     {.serverWindowBits = 10, .clientWindowBits = 11}},
    {"7.1.2.2 a client that cannot", "permessage-deflate", kSmall, ""},
    {"7.1.2.2 twice",
     "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
     kAll, ""},
    {"7.1.2.2 too small", "permessage-deflate; client_max_window_bits=7", kAll,
     ""},
};

TEST(WebSocketHandshake, EachOfferOfRfc7692HasItsAnswer) {
  for (const Offer& offer : kOffers) {
    SCOPED_TRACE(offer.name);
    WebSocketHandshakeOptions options;
    options.compression = offer.ours;
    const WebSocketHandshake handshake =
        check(and_(kGood, "Sec-WebSocket-Extensions", offer.offers), options);
    EXPECT_TRUE(handshake.accepted());
    EXPECT_EQ(handshake.extensions, offer.answer);
    ASSERT_EQ(handshake.compression.has_value(), !offer.answer.empty());
    if (handshake.compression) {
      EXPECT_TRUE(*handshake.compression == offer.agreed);
    }
  }
}

TEST(WebSocketHandshake, OffersMayComeInSeveralFields) {
  WebSocketHandshakeOptions options;
  options.compression = kAll;
  const WebSocketHandshake handshake =
      check(and_(and_(kGood, "Sec-WebSocket-Extensions", "foo"),
                 "sec-websocket-extensions", "permessage-deflate"),
            options);
  EXPECT_EQ(handshake.extensions, "permessage-deflate");
}

TEST(WebSocketHandshake, CompressionIsOffUnlessAskedFor) {
  const WebSocketHandshake handshake =
      check(and_(kGood, "Sec-WebSocket-Extensions", "permessage-deflate"));
  EXPECT_TRUE(handshake.accepted());
  EXPECT_FALSE(handshake.compression);
  EXPECT_EQ(handshake.extensions, "");
}

}  // namespace
}  // namespace brigade
