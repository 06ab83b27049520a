#include "brigade/Protocol/WebSocket.h"

#include <algorithm>
#include <utility>

#include "brigade/Protocol/SavedState.h"
#include "brigade/Protocol/detail/Mask.h"
#include "brigade/Protocol/detail/PartialMessage.h"
#include "brigade/Protocol/detail/Utf8.h"
#include "brigade/Protocol/detail/WebSocketDeflate.h"
#include "brigade/Protocol/detail/WebSocketFrame.h"
#include "brigade/Protocol/detail/WebSocketWriter.h"

namespace brigade {
namespace {

namespace fault = detail::fault;

using Fault = detail::WebSocketFault;
using Header = detail::WebSocketHeader;
using Kind = WebSocketMessage::Kind;

using detail::kCodeSize;
using detail::kCompressed;
using detail::kFin;
using detail::kLength16;
using detail::kLength64;
using detail::kMaxControl;

constexpr unsigned kReserved = 0x70;
constexpr int kMaxWindowBits = 15;
constexpr unsigned kContinuation = 0;
constexpr unsigned kText = 1;
constexpr unsigned kBinary = 2;
constexpr unsigned kClose = 8;
constexpr unsigned kPong = 10;
constexpr unsigned kMasked = 0x80;
constexpr std::size_t kKeySize = 4;
constexpr std::size_t kMaxHeader = 14;

unsigned byteOf(char c) { return static_cast<unsigned char>(c); }

std::uint64_t readNumber(const char* at, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8 | byteOf(at[i]);
  return number;
}

// Bytes of the length behind the second byte of a header.
std::size_t extendedSize(unsigned length7) {
  if (length7 < kLength16) return 0;
  return length7 == kLength16 ? 2 : 8;
}

std::size_t headerSize(unsigned length7) {
  return 2 + extendedSize(length7) + kKeySize;
}

// What the bytes of a length say that they should not.
const Fault* checkLength(unsigned length7, std::uint64_t length) {
  if (length7 == kLength16 && length < kLength16) return &fault::kLongLength;
  if (length7 != kLength64) return nullptr;
  if (length <= 0xFFFF) return &fault::kLongLength;
  return length >> 63 != 0 ? &fault::kHugeLength : nullptr;
}

// RFC 6455, 5.5.1 and 7.4; of a payload that is whole.
const Fault* checkClosePayload(std::string_view masked, detail::MaskKey key) {
  if (masked.empty()) return nullptr;
  if (masked.size() < kCodeSize) return &fault::kBadClose;
  char code[kCodeSize];
  detail::unmask(masked.data(), code, kCodeSize, key);
  const auto number = static_cast<unsigned>(readNumber(code, kCodeSize));
  if (!WebSocketCode::isSendable(number)) return &fault::kBadCode;
  detail::Utf8 utf8;
  const bool valid = utf8.feed(masked.substr(kCodeSize), key.from(kCodeSize));
  return valid && utf8.complete() ? nullptr : &fault::kBadReason;
}

WebSocketMessage closeOf(std::string_view payload) {
  if (payload.empty()) return WebSocketMessage::close(WebSocketCode::kNone);
  const std::uint64_t code = readNumber(payload.data(), kCodeSize);
  return WebSocketMessage::close(static_cast<std::uint16_t>(code),
                                 payload.substr(kCodeSize));
}

// What does not compress becomes longer: zlib puts 5 bytes before each block,
// and with the least memory (memLevel 1) a block is 127 bytes.
std::size_t overhead(const WebSocketLimits& limits) {
  return limits.maxMessageSize / 16 + 64;
}

// Of a frame that input() found to be whole.
Header headerOf(std::span<const char> packet) {
  Header header;
  header.first = byteOf(packet[0]);
  header.size = headerSize(byteOf(packet[1]) & ~kMasked);
  header.length = packet.size() - header.size;
  header.key = detail::MaskKey::at(packet.data() + header.size - kKeySize);
  return header;
}

}  // namespace

// ---- What the codecs of a loop share

WebSocketShared::WebSocketShared(const WebSocketLimits& limits,
                                 const WebSocketCompression& compression)
    : limits_(limits), compression_(compression) {}

WebSocketShared::~WebSocketShared() = default;

std::unique_ptr<detail::PartialMessage> WebSocketShared::takePartial() {
  if (!delivered_) return std::make_unique<detail::PartialMessage>();
  delivered_->data.clear();
  delivered_->fragments = 0;
  delivered_->compressed = false;
  return std::move(delivered_);
}

std::string_view WebSocketShared::keepDelivered(
    std::unique_ptr<detail::PartialMessage> message) {
  delivered_ = std::move(message);
  large_ = delivered_->data.capacity() > kKeep;
  return delivered_->data.view();
}

detail::SharedDeflate& WebSocketShared::deflate() {
  if (!deflate_) deflate_ = std::make_unique<detail::SharedDeflate>();
  return *deflate_;
}

std::string_view WebSocketShared::pack(std::string_view message,
                                       int windowBits) {
  return deflate().pack(message, windowBits, compression_);
}

void WebSocketShared::forgetLarge() {
  delivered_.reset();
  large_ = false;
}

// ---- Receiving

WebSocket::WebSocket(WebSocketShared& shared) : shared_(shared) {}

WebSocket::WebSocket(WebSocketShared& shared,
                     const WebSocketAgreement& compression)
    : shared_(shared), deflate_(std::make_unique<detail::WebSocketDeflate>()) {
  deflate_->agreed = compression;
}

WebSocket::~WebSocket() = default;

Packet WebSocket::reject(const Fault* fault) {
  refusal_ = fault->code;
  return Packet::malformed(fault->reason);
}

// Each byte of a header is judged as soon as it is there.
Packet WebSocket::input(std::string_view bytes) {
  if (shared_.large_) shared_.forgetLarge();
  if (closeReceived_) return Packet::silent(bytes.size());
  Header header;
  header.first = byteOf(bytes[0]);
  if (const Fault* fault = checkFirst(header.first)) return reject(fault);
  if (bytes.size() < 2) return Packet::more();
  const unsigned second = byteOf(bytes[1]);
  const unsigned length7 = second & ~kMasked;
  if ((second & kMasked) == 0) return reject(&fault::kUnmasked);
  if (header.isControl() && length7 > kMaxControl)
    return reject(&fault::kLongControl);
  header.size = headerSize(length7);
  header.length = length7;
  if (length7 >= kLength16) {
    const std::size_t size = extendedSize(length7);
    if (bytes.size() < 2 + size) return Packet::more();
    header.length = readNumber(bytes.data() + 2, size);
    const Fault* fault = checkLength(length7, header.length);
    if (fault != nullptr) return reject(fault);
  }
  if (const Fault* fault = checkLimits(header)) return reject(fault);
  if (bytes.size() < header.size) return Packet::more(header.whole());
  header.key = detail::MaskKey::at(bytes.data() + header.size - kKeySize);
  return frame(header, bytes.substr(header.size, header.length));
}

// RSV bits, opcode, and whether the frame is in its place (RFC 6455, 5.2 to
// 5.5).
const Fault* WebSocket::checkFirst(unsigned first) const {
  const unsigned opcode = first & 0x0F;
  if ((first & kReserved) != 0) {
    // Only the first frame of a message may say that it is compressed.
    const bool compressed = (first & kReserved) == kCompressed && deflate_ &&
                            (opcode == kText || opcode == kBinary);
    if (!compressed) return &fault::kReservedBits;
  }
  if (opcode <= kBinary) {
    const bool continues = opcode == kContinuation;
    if (continues == (partial_ != nullptr)) return nullptr;
    return continues ? &fault::kNoStart : &fault::kNoEnd;
  }
  if (opcode < kClose || opcode > kPong) return &fault::kReservedOpcode;
  return (first & kFin) == 0 ? &fault::kCutControl : nullptr;
}

const Fault* WebSocket::checkLimits(const Header& header) const {
  if (header.isControl()) return nullptr;
  const WebSocketLimits& limits = shared_.limits_;
  const bool compressed =
      partial_ ? partial_->compressed : header.isCompressed();
  const std::size_t extra = compressed ? overhead(limits) : 0;
  if (header.length > limits.maxFrameSize + extra) return &fault::kLongFrame;
  const std::size_t most = limits.maxMessageSize + extra;
  const std::size_t present = partial_ ? partial_->data.size() : 0;
  if (header.length > most - present) return &fault::kLongMessage;
  const bool full = partial_ && partial_->fragments >= limits.maxFragments;
  return full ? &fault::kManyFragments : nullptr;
}

std::size_t WebSocket::longestFrame() const {
  const WebSocketLimits& limits = shared_.limits_;
  return kMaxHeader + limits.maxFrameSize + (deflate_ ? overhead(limits) : 0);
}

bool WebSocket::isText(const Header& header) const {
  if (header.opcode() == kText) return !header.isCompressed();
  return header.opcode() == kContinuation && partial_->kind == Kind::kText &&
         !partial_->compressed;
}

// What has arrived of the payload and was not looked at yet.
const Fault* WebSocket::checkText(const Header& header,
                                  std::string_view payload) {
  if (payload.size() > checked_) {
    detail::Utf8 utf8(utf8_);
    const bool valid =
        utf8.feed(payload.substr(checked_), header.key.from(checked_));
    if (!valid) return &fault::kBadText;
    utf8_ = utf8.state();
    checked_ = payload.size();
  }
  const bool ends = header.isFinal() && payload.size() == header.length;
  return ends && !detail::Utf8(utf8_).complete() ? &fault::kBadText : nullptr;
}

// `payload` is masked, and what has arrived of it.
Packet WebSocket::frame(const Header& header, std::string_view payload) {
  if (isText(header)) {
    const Fault* fault = checkText(header, payload);
    if (fault != nullptr) return reject(fault);
  }
  if (payload.size() < header.length) return Packet::more(header.whole());
  checked_ = 0;
  if (header.opcode() == kClose) {
    const Fault* fault = checkClosePayload(payload, header.key);
    if (fault != nullptr) return reject(fault);
  }
  if (header.isFinal()) return Packet::whole(header.whole());
  keepFragment(header, payload);
  return Packet::silent(header.whole());
}

void WebSocket::keepFragment(const Header& header, std::string_view payload) {
  if (!partial_) {
    partial_ = shared_.takePartial();
    partial_->kind = static_cast<Kind>(header.opcode());
    partial_->compressed = header.isCompressed();
  }
  ++partial_->fragments;
  if (payload.empty()) return;
  char* to =
      partial_->data.extend(payload.size(), shared_.limits_.maxMessageSize);
  detail::unmask(payload.data(), to, payload.size(), header.key);
}

Message WebSocket::decode(std::span<char> packet) {
  const Header header = headerOf(packet);
  char* payload = packet.data() + header.size;
  if (header.opcode() == kContinuation) {
    keepFragment(header, {payload, header.length});
    return deliverFragments();
  }
  detail::unmask(payload, payload, header.length, header.key);
  const auto kind = static_cast<Kind>(header.opcode());
  const std::string_view bytes(payload, header.length);
  return header.isCompressed() ? deliverInflated(kind, bytes)
                               : deliver(kind, bytes);
}

Message WebSocket::deliverFragments() {
  std::unique_ptr<detail::PartialMessage> whole = std::move(partial_);
  if (whole->compressed) {
    return deliverInflated(whole->kind, whole->data.view());
  }
  const Kind kind = whole->kind;
  return deliver(kind, shared_.keepDelivered(std::move(whole)));
}

Message WebSocket::deliverInflated(Kind kind, std::string_view packed) {
  using Result = detail::Inflater::Result;
  auto whole = shared_.takePartial();
  const Result result =
      inflater().inflate(packed, deflate_->agreed.clientContext,
                         shared_.limits_.maxMessageSize, whole->data);
  if (result == Result::kBroken) fail(&fault::kBadDeflate);
  if (result == Result::kTooLong) fail(&fault::kLongMessage);
  const std::string_view data = whole->data.view();
  if (kind == Kind::kText && !detail::isUtf8(data)) fail(&fault::kBadText);
  return deliver(kind, shared_.keepDelivered(std::move(whole)));
}

void WebSocket::fail(const Fault* fault) {
  refusal_ = fault->code;
  throw ProtocolError(fault->reason);
}

// A message without context has no use for a window of its own.
detail::Inflater& WebSocket::inflater() {
  const bool own =
      deflate_->agreed.clientContext == WebSocketContext::kTakeover;
  auto& inflater = own ? deflate_->inflater : shared_.deflate().inflater;
  if (!inflater) {
    inflater = std::make_unique<detail::Inflater>(
        own ? deflate_->agreed.clientWindowBits : kMaxWindowBits);
  }
  return *inflater;
}

Message WebSocket::deliver(Kind kind, std::string_view payload) {
  switch (kind) {
    case Kind::kText:
      message_ = WebSocketMessage::text(payload);
      break;
    case Kind::kBinary:
      message_ = WebSocketMessage::binary(payload);
      break;
    case Kind::kPing:
      message_ = WebSocketMessage::ping(payload);
      break;
    case Kind::kPong:
      message_ = WebSocketMessage::pong(payload);
      break;
    case Kind::kClose:
      message_ = closeOf(payload);
      closeReceived_ = true;
      break;
  }
  return message_.message();
}

// ---- Sending

void WebSocket::encode(const Message& message, Output& out) {
  if (closeSent_) return;
  const WebSocketMessage object = message.is<WebSocketMessage>()
                                      ? message.as<WebSocketMessage>()
                                      : WebSocketMessage::text(message.data());
  if (compresses(object)) {
    encodeCompressed(object, out);
    return;
  }
  detail::appendMessage(out, object);
  closeSent_ = object.kind() == Kind::kClose;
}

bool WebSocket::compresses(const WebSocketMessage& message) const {
  return deflate_ && !message.isControl() && !message.data().empty() &&
         message.data().size() >= shared_.compression_.threshold;
}

// When this throws, the stream may have seen what the peer never will.
void WebSocket::encodeCompressed(const WebSocketMessage& message, Output& out) {
  const bool own =
      deflate_->agreed.serverContext == WebSocketContext::kTakeover;
  const std::string_view packed =
      own ? packOwn(message.data())
          : shared_.pack(message.data(), deflate_->agreed.serverWindowBits);
  // A window that the peer shares must have seen it.
  if (!own && packed.size() >= message.data().size()) {
    detail::appendMessage(out, message);
  } else {
    detail::appendCompressed(out, message.kind(), packed);
  }
  deflate_->startsAnew = false;
  shared_.deflate().forgetLarge();
}

// With the context of the messages before; startsAnew until it is on its way.
std::string_view WebSocket::packOwn(std::string_view message) {
  detail::WebSocketDeflate& own = *deflate_;
  if (!own.deflater) {
    own.deflater = std::make_unique<detail::Deflater>(
        own.agreed.serverWindowBits, shared_.compression_);
  }
  const auto context = std::exchange(own.startsAnew, true)
                           ? WebSocketContext::kNone
                           : WebSocketContext::kTakeover;
  detail::Buffer& packed = shared_.deflate().packed;
  packed.clear();
  own.deflater->deflate(message, context, packed);
  return packed.view();
}

// ---- To another process

const WebSocketAgreement* WebSocket::agreement() const {
  return deflate_ ? &deflate_->agreed : nullptr;
}

std::optional<std::string> WebSocket::save() const {
  using Context = WebSocketContext;
  const bool hasContext =
      deflate_ && (deflate_->agreed.serverContext == Context::kTakeover ||
                   deflate_->agreed.clientContext == Context::kTakeover);
  if (hasContext || closeSent_ || closeReceived_) return std::nullopt;
  StateWriter state;
  state.put(std::uint64_t{checked_});
  state.put(utf8_);
  state.put(std::uint8_t{partial_ != nullptr});
  if (partial_) {
    state.put(static_cast<std::uint8_t>(partial_->kind));
    state.put(partial_->fragments);
    state.put(std::uint8_t{partial_->compressed});
    state.putBytes(partial_->data.view());
  }
  return state.take();
}

void WebSocket::restore(std::string_view saved) {
  StateReader state(saved);
  checked_ = state.get<std::uint64_t>();
  utf8_ = state.get<std::uint8_t>();
  if (state.get<std::uint8_t>() == 0) return;
  partial_ = shared_.takePartial();
  partial_->kind = static_cast<Kind>(state.get<std::uint8_t>());
  partial_->fragments = state.get<std::uint32_t>();
  partial_->compressed = state.get<std::uint8_t>() != 0;
  partial_->data.append(state.getBytes());
}

void WebSocket::refuse(Refusal refusal, Output& out) {
  if (closeSent_) return;
  std::uint16_t code = refusal_;
  if (refusal == Refusal::kTooLong) code = WebSocketCode::kTooBig;
  if (refusal == Refusal::kTimeout) code = WebSocketCode::kGoingAway;
  detail::appendMessage(out, WebSocketMessage::close(code));
  closeSent_ = true;
}

}  // namespace brigade
