#include "JsonLines.h"

#include <stdexcept>
#include <string>

using nlohmann::json;

namespace {

struct TooDeep : std::exception {};

bool limitDepth(int above, json::parse_event_t event, json&) {
  const bool opens = event == json::parse_event_t::array_start ||
                     event == json::parse_event_t::object_start;
  if (opens && above >= JsonLines::kMaxDepth) throw TooDeep();
  return true;
}

}  // namespace

brigade::Packet JsonLines::input(std::string_view bytes) {
  const brigade::Packet packet = text_.input(bytes);
  if (packet.kind != brigade::Packet::Kind::kWhole) return packet;
  const char* error = parse(bytes.substr(0, packet.length));
  return error == nullptr ? packet : brigade::Packet::malformed(error);
}

// Why the line is malformed; null when it is not.
const char* JsonLines::parse(std::string_view line) {
  try {
    document_ = json::parse(line, limitDepth);
    return nullptr;
  } catch (const TooDeep&) {
    return "JSON that is nested too deep";
  } catch (const json::exception&) {
    return "not JSON";
  }
}

brigade::Message JsonLines::decode(std::span<char> packet) {
  return brigade::Message::of(document_, text_.decode(packet).data());
}

void JsonLines::encode(const brigade::Message& message, brigade::Output& out) {
  // What was received has its text with it, and needs no second one.
  if (message.data().empty() && message.is<json>()) {
    const std::string text = message.as<json>().dump();
    text_.encode(text, out);
  } else {
    text_.encode(message, out);
  }
}
