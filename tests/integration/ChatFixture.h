#pragma once

// ChatFixture: examples/chat, running, and people who use it as its page does:
// JSON texts over WebSockets. It has four processes: who comes is in any of
// them.

#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/Program.h"
#include "tests/support/WebSocketFrames.h"
#include "tests/support/WebSocketPeer.h"
#include "tests/support/Wire.h"

namespace brigade::test {

using nlohmann::json;
using testing::clientFrame;
using testing::closePayload;

inline constexpr unsigned kText = 0x81;
inline constexpr unsigned kBinary = 0x82;
inline constexpr unsigned kClose = 0x88;

// One page.
class Visitor {
 public:
  explicit Visitor(std::uint16_t port) : wire_(Wire(port)) {
    const auto answer = openWebSocket(wire_, "/socket");
    EXPECT_TRUE(answer && answer->status == 101);
  }

  void send(unsigned first, const std::string& payload) {
    EXPECT_TRUE(wire_.send(clientFrame(first, payload)));
  }
  // As nextEvent() has it.
  std::string hear() { return nextEvent(wire_); }
  // The next message; null when it is none.
  json message() {
    const std::string frame = hear();
    EXPECT_TRUE(frame.starts_with("text ")) << frame;
    return frame.starts_with("text ") ? json::parse(frame.substr(5)) : json();
  }
  json ask(const json& request) {
    send(kText, request.dump());
    return message();
  }
  json join(const std::string& name, const std::string& room = "lobby",
            const std::string& key = "") {
    return ask(
        {{"type", "join"}, {"name", name}, {"room", room}, {"key", key}});
  }
  void say(const std::string& text, const std::string& id = "1") {
    send(kText, json({{"type", "say"}, {"id", id}, {"text", text}}).dump());
  }
  // The connection may have ended.
  void trySay(const std::string& text, const std::string& id) {
    wire_.send(clientFrame(
        kText, json({{"type", "say"}, {"id", id}, {"text", text}}).dump()));
  }
  // Says it, and listens until it is heard. False: the connection ended first.
  bool isHeard(const std::string& text, const std::string& id) {
    trySay(text, id);
    for (;;) {
      const std::string frame = hear();
      if (!frame.starts_with("text ")) return false;
      if (json::parse(frame.substr(5)).value("id", "") == id) return true;
    }
  }
  // The next line, whoever comes and goes meanwhile.
  json line() {
    json next = message();
    while (next.is_object() && next.at("type") != "line") next = message();
    return next;
  }
  void close() { wire_.close(); }

 private:
  Wire wire_;
};

inline json event(const std::string& type, const std::string& name) {
  return {{"type", type}, {"name", name}};
}

// "Ada: hello", for what is not compared otherwise.
inline std::string lineOf(const json& message) {
  EXPECT_EQ(message.value("type", ""), "line") << message;
  return message.value("from", "") + ": " + message.value("text", "");
}

// "about name", for a message that is an error.
inline std::string errorOf(const json& message) {
  EXPECT_FALSE(message.value("text", "").empty()) << message;
  return message.value("type", "") + " " + message.value("about", "");
}

class ChatFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    chat_.start({"--listen", "websocket://127.0.0.1:0"});
  }

  Visitor visit() { return Visitor(chat_.port()); }
  Visitor visit(const std::string& name, const std::string& room = "lobby") {
    Visitor visitor = visit();
    EXPECT_EQ(visitor.join(name, room).value("type", ""), "welcome");
    return visitor;
  }

  Program chat_{example("chat")};
};

}  // namespace brigade::test
