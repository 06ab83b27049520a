#pragma once

// CodecFuzz: what the fuzz target of every codec does with its input. The
// first bytes say where the stream behind them is cut:
//
//   +-------+----------+-----+----------+-----------------------------+
//   |   n   |  step 1  | ... |  step n  |  stream                     |
//   +-------+----------+-----+----------+-----------------------------+
//    1 byte   2 bytes, little-endian: the distance from the cut before
//
// It aborts when the pieces give other messages than the whole stream, also
// when a fresh codec goes on behind each cut with what the one before has
// saved; when the codec breaks a promise of ProtocolInterface.h, and when a
// message that is encoded (each that was decoded, and the stream as one) is not
// decoded as it was.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/ProtocolRegistry.h"
#include "tests/support/CodecRun.h"

namespace brigade::fuzz {

struct CodecFuzz {
  static constexpr std::size_t kMaxCuts = 16;

  ProtocolFactory make;
  testing::Describe describe = testing::dataOf;
  // Whether a message can be sent so that it arrives as it is. Empty: none can,
  // what one side sends is nothing that it takes.
  std::function<bool(const Message&)> survives = [](const Message&) {
    return true;
  };
  // How a message is sent.
  std::function<Message(const Message&)> resend = [](const Message& message) {
    return message;
  };
  // A codec without packets of its own: only the bytes must be the same.
  enum class Compare { kMessages, kBytes } compare = Compare::kMessages;

  // For LLVMFuzzerTestOneInput, one thread.
  int run(const std::uint8_t* data, std::size_t size) const;

 private:
  struct Whole {
    testing::CodecResult result;
    std::vector<std::size_t> packets;
    std::vector<std::string> sent;  // the messages that survive ...
    std::string bytes;              // ... encoded
  };

  Whole runWhole(std::string_view stream) const;
  void runCut(const Whole& whole, std::string_view stream,
              const std::vector<std::size_t>& steps) const;
  void runMoved(const Whole& whole, std::string_view stream,
                const std::vector<std::size_t>& steps) const;
  void runBack(const Whole& whole) const;
  void checkSame(const std::vector<std::string>& expected,
                 const std::vector<std::string>& messages) const;
};

}  // namespace brigade::fuzz
