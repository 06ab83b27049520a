#pragma once

// WebSocketMessage: what one side says to the other over a WebSocket (RFC 6455,
// 5.5 and 5.6). A view: the bytes belong to the caller of send() or, when it
// was received, to the connection until the callback returns.
//
//   connection.send(WebSocketMessage::binary(bytes).message());

#include <cstdint>
#include <string_view>

#include "brigade/Protocol/Message.h"

namespace brigade {

// The reasons to close (RFC 6455, 7.4.1) that servers use; 3000 to 4999 are
// the libraries' and the programs' own.
struct WebSocketCode {
  static constexpr std::uint16_t kNormal = 1000;
  static constexpr std::uint16_t kGoingAway = 1001;
  static constexpr std::uint16_t kProtocolError = 1002;
  static constexpr std::uint16_t kUnsupported = 1003;
  static constexpr std::uint16_t kNone = 1005;  // closed without a code
  static constexpr std::uint16_t kInvalidData = 1007;
  static constexpr std::uint16_t kPolicy = 1008;
  static constexpr std::uint16_t kTooBig = 1009;
  static constexpr std::uint16_t kInternalError = 1011;
  static constexpr std::uint16_t kTryAgainLater = 1013;

  // Whether a close frame may carry it (RFC 6455, 7.4, and what is registered
  // since: 1012 to 1014).
  static constexpr bool isSendable(unsigned code) {
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) ||
           (code >= 3000 && code <= 4999);
  }
};

class WebSocketMessage {
 public:
  // The values are the opcodes of RFC 6455, 5.2.
  enum class Kind : std::uint8_t {
    kText = 1,
    kBinary = 2,
    kClose = 8,
    kPing = 9,
    kPong = 10
  };

  static WebSocketMessage text(std::string_view data) {
    return {Kind::kText, data};
  }
  static WebSocketMessage binary(std::string_view data) {
    return {Kind::kBinary, data};
  }
  // At most 125 bytes, as pong() and, with the code, close().
  static WebSocketMessage ping(std::string_view data = {}) {
    return {Kind::kPing, data};
  }
  static WebSocketMessage pong(std::string_view data = {}) {
    return {Kind::kPong, data};
  }
  // kNone closes without a code, and so without a reason.
  static WebSocketMessage close(std::uint16_t code = WebSocketCode::kNormal,
                                std::string_view reason = {}) {
    return {Kind::kClose, reason, code};
  }

  WebSocketMessage() = default;  // an empty text

  Kind kind() const { return kind_; }
  bool isText() const { return kind_ == Kind::kText; }
  bool isBinary() const { return kind_ == Kind::kBinary; }
  // Ping, pong and close (RFC 6455, 5.5).
  bool isControl() const { return kind_ >= Kind::kClose; }

  // Text that was received is UTF-8. Of close: the reason.
  std::string_view data() const { return data_; }
  // Of close; kNone when it came without one.
  std::uint16_t code() const { return code_; }

  // To send it; as long-lived as this.
  Message message() const { return Message::of(*this, data_); }

 private:
  WebSocketMessage(Kind kind, std::string_view data,
                   std::uint16_t code = WebSocketCode::kNone)
      : data_(data), code_(code), kind_(kind) {}

  std::string_view data_;
  std::uint16_t code_ = WebSocketCode::kNone;
  Kind kind_ = Kind::kText;
};

}  // namespace brigade
