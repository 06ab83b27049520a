#pragma once

// JsonLines: a protocol of a program's own. One line is one JSON document,
// which a message carries: message.as<nlohmann::json>(). What is sent is a
// document, connection.send(brigade::Message::of(document)), or text that is
// JSON on one line already.

#include <brigade/Protocol/Text.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

class JsonLines : public brigade::ProtocolInterface {
 public:
  // Deeper documents are malformed: to copy or to write one takes stack for
  // each level, and a peer could ask for a million.
  static constexpr int kMaxDepth = 100;

  brigade::Packet input(std::string_view bytes) override;
  brigade::Message decode(std::span<char> packet) override;
  void encode(const brigade::Message& message, brigade::Output& out) override;
  std::optional<std::string> save() const override { return text_.save(); }

 private:
  const char* parse(std::string_view line);

  brigade::Text text_;
  nlohmann::json document_;  // of the packet that input() called whole
};
