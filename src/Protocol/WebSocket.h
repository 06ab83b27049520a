#pragma once

// WebSocket: the server's side of RFC 6455 behind the handshake. Messages are
// Message::of(WebSocketMessage): text, binary, ping, pong and close; whoever
// uses the codec answers the last three. Fragments are put together, and text
// is checked as it arrives. After a close frame nothing more is received.
//
// Compressed ones are inflated, within the limits, and checked when they are
// whole.
//
// What a peer may not do ends the connection with the close code of RFC 6455,
// 7.4.1: refuse() sends it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/WebSocketCompression.h"
#include "brigade/Protocol/WebSocketMessage.h"

namespace brigade {

namespace detail {
class Inflater;
struct PartialMessage;
struct SharedDeflate;
struct WebSocketDeflate;
struct WebSocketFault;
struct WebSocketHeader;
}  // namespace detail

// What one connection may cost. Checked as soon as a header says it, before
// memory is spent: 1009. What is compressed may be longer by a sixteenth of
// maxMessageSize and 64 bytes: so much longer becomes what cannot be
// compressed, by a client that gives zlib little memory.
struct WebSocketLimits {
  std::size_t maxMessageSize = 10 << 20;  // of all fragments, inflated
  std::size_t maxFrameSize = 10 << 20;    // of one of them
  std::uint32_t maxFragments = 1 << 16;   // of one message
};

// What the codecs of one event loop share, so that an idle connection holds
// next to nothing. Made before them, in the worker process; outlives them.
class WebSocketShared {
 public:
  // The compression is for those connections that agreed on it.
  explicit WebSocketShared(const WebSocketLimits& limits = {},
                           const WebSocketCompression& compression = {});
  WebSocketShared(const WebSocketShared&) = delete;
  WebSocketShared& operator=(const WebSocketShared&) = delete;
  ~WebSocketShared();

  const WebSocketLimits& limits() const { return limits_; }
  const WebSocketCompression& compression() const { return compression_; }

 private:
  friend class WebSocket;
  friend class WebSocketBroadcast;

  // A message longer than this is not kept for its memory.
  static constexpr std::size_t kKeep = 64 << 10;

  std::unique_ptr<detail::PartialMessage> takePartial();
  std::string_view keepDelivered(
      std::unique_ptr<detail::PartialMessage> message);
  detail::SharedDeflate& deflate();
  // Good until the next message of any codec.
  std::string_view pack(std::string_view message, int windowBits);
  void forgetLarge();

  WebSocketLimits limits_;
  WebSocketCompression compression_;
  // The last message that was put together. Its callback has returned when
  // any codec is given input again.
  std::unique_ptr<detail::PartialMessage> delivered_;
  bool large_ = false;
  std::unique_ptr<detail::SharedDeflate> deflate_;
};

class WebSocket : public ProtocolInterface {
 public:
  explicit WebSocket(WebSocketShared& shared);
  // With permessage-deflate (RFC 7692), as the handshake agreed on it.
  WebSocket(WebSocketShared& shared, const WebSocketAgreement& compression);
  ~WebSocket() override;

  Packet input(std::string_view bytes) override;
  Message decode(std::span<char> packet) override;

  // A message without a WebSocketMessage is a text; whether it is UTF-8 is the
  // caller's business. Nothing at all behind a close frame (RFC 6455, 5.5.1).
  // Throws std::length_error for a control frame of more than 125 bytes and
  // std::invalid_argument for a code that no close frame may carry.
  void encode(const Message& message, Output& out) override;

  // A close frame: 1009 for what is too long, 1001 for silence, else what the
  // last refused input deserves. Nothing once a close frame was sent.
  void refuse(Refusal refusal, Output& out) override;

  // Inside a fragmented message as well, but not where messages refer to those
  // before them (WebSocketContext::kTakeover), nor once a close frame was sent
  // or received.
  std::optional<std::string> save() const override;
  void restore(std::string_view saved) override;
  // What was agreed on; null: no compression.
  const WebSocketAgreement* agreement() const;

  // With its header; the maxPackageSize of the connection must hold it.
  std::size_t longestFrame() const;

  bool closeSent() const { return closeSent_; }
  bool closeReceived() const { return closeReceived_; }

 private:
  friend class WebSocketBroadcast;

  using Fault = detail::WebSocketFault;
  using Header = detail::WebSocketHeader;

  Packet reject(const Fault* fault);
  const Fault* checkFirst(unsigned first) const;
  const Fault* checkLimits(const Header& header) const;
  const Fault* checkText(const Header& header, std::string_view payload);
  bool isText(const Header& header) const;
  Packet frame(const Header& header, std::string_view payload);
  void keepFragment(const Header& header, std::string_view payload);
  Message deliver(WebSocketMessage::Kind kind, std::string_view payload);
  Message deliverFragments();
  Message deliverInflated(WebSocketMessage::Kind kind, std::string_view packed);
  [[noreturn]] void fail(const Fault* fault);
  detail::Inflater& inflater();
  bool compresses(const WebSocketMessage& message) const;
  void encodeCompressed(const WebSocketMessage& message, Output& out);
  std::string_view packOwn(std::string_view message);

  WebSocketShared& shared_;
  std::unique_ptr<detail::PartialMessage> partial_;
  std::unique_ptr<detail::WebSocketDeflate> deflate_;
  WebSocketMessage message_;
  std::size_t checked_ = 0;  // bytes of this frame's payload that are UTF-8
  std::uint16_t refusal_ = WebSocketCode::kProtocolError;
  std::uint8_t utf8_ = 0;  // of the text so far: a detail::Utf8
  bool closeSent_ = false;
  bool closeReceived_ = false;
};

}  // namespace brigade
