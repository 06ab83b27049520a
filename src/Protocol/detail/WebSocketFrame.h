#pragma once

// A frame of RFC 6455 as it is laid out, and why a peer's is refused.

#include <cstddef>
#include <cstdint>

#include "brigade/Protocol/WebSocketMessage.h"
#include "brigade/Protocol/detail/Mask.h"

namespace brigade::detail {

constexpr unsigned kFin = 0x80;
constexpr unsigned kCompressed = 0x40;  // RSV1: RFC 7692, 6
// Lengths that say how many bytes the length itself takes.
constexpr unsigned kLength16 = 126;
constexpr unsigned kLength64 = 127;
constexpr std::size_t kMaxControl = 125;
constexpr std::size_t kCodeSize = 2;

// Why a peer is refused, and what the close frame says.
struct WebSocketFault {
  std::uint16_t code;
  const char* reason;
};

// RFC 6455, 5.2:
//
//    0                 1                 2 ...
//   +-+-+-+-+-------+-+-------------+----------------+----------+---------+
//   |F|R|R|R| opcode|M| length 0-125| 2 bytes for 126| 4 bytes: | payload |
//   |I|S|S|S|       |A| or 126, 127 | 8 bytes for 127| masking  |         |
//   |N|1|2|3|       |S|             |                | key      |         |
//   +-+-+-+-+-------+-+-------------+----------------+----------+---------+
struct WebSocketHeader {
  unsigned first;
  std::size_t size;  // of the header
  std::size_t length;
  MaskKey key;

  unsigned opcode() const { return first & 0x0F; }
  bool isControl() const { return opcode() >= 8; }
  bool isFinal() const { return (first & 0x80) != 0; }
  bool isCompressed() const { return (first & 0x40) != 0; }
  std::size_t whole() const { return size + length; }
};

namespace fault {

inline constexpr WebSocketFault kReservedBits{WebSocketCode::kProtocolError,
                                              "reserved bits are set"};
inline constexpr WebSocketFault kReservedOpcode{WebSocketCode::kProtocolError,
                                                "a reserved opcode"};
inline constexpr WebSocketFault kCutControl{WebSocketCode::kProtocolError,
                                            "a fragmented control frame"};
inline constexpr WebSocketFault kLongControl{
    WebSocketCode::kProtocolError, "a control frame longer than 125 bytes"};
inline constexpr WebSocketFault kNoStart{WebSocketCode::kProtocolError,
                                         "a continuation of no message"};
inline constexpr WebSocketFault kNoEnd{WebSocketCode::kProtocolError,
                                       "a message inside a fragmented one"};
inline constexpr WebSocketFault kUnmasked{WebSocketCode::kProtocolError,
                                          "an unmasked frame"};
inline constexpr WebSocketFault kLongLength{
    WebSocketCode::kProtocolError, "a length in more bytes than it takes"};
inline constexpr WebSocketFault kHugeLength{
    WebSocketCode::kProtocolError, "a length with its highest bit set"};
inline constexpr WebSocketFault kBadClose{WebSocketCode::kProtocolError,
                                          "a close frame of one byte"};
inline constexpr WebSocketFault kBadCode{WebSocketCode::kProtocolError,
                                         "a close code that may not be sent"};
inline constexpr WebSocketFault kBadText{WebSocketCode::kInvalidData,
                                         "a text that is not UTF-8"};
inline constexpr WebSocketFault kBadReason{WebSocketCode::kInvalidData,
                                           "a close reason that is not UTF-8"};
inline constexpr WebSocketFault kBadDeflate{
    WebSocketCode::kInvalidData,
    "a compressed message that cannot be inflated"};
inline constexpr WebSocketFault kLongFrame{WebSocketCode::kTooBig,
                                           "a frame longer than maxFrameSize"};
inline constexpr WebSocketFault kLongMessage{
    WebSocketCode::kTooBig, "a message longer than maxMessageSize"};
inline constexpr WebSocketFault kManyFragments{
    WebSocketCode::kTooBig, "a message of more than maxFragments"};

}  // namespace fault
}  // namespace brigade::detail
