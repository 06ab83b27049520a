#pragma once

// WebSocketFixture: a running WebSocketWorker (HttpSubject.cc) and clients that
// are strict with it.

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/WebSocketFrames.h"
#include "tests/support/WebSocketPeer.h"

namespace brigade::test {

class WebSocketFixture : public ::testing::Test {
 protected:
  void start(std::vector<std::string> environment = {}) {
    environment.push_back("EVENT_LOG=" + subject_.directory() + "/events.log");
    subject_.start({"--listen", "websocket://127.0.0.1:0"}, environment);
  }

  Wire connect() { return Wire(subject_.port()); }

  Wire open(const std::string& path = "/", const std::string& fields = {}) {
    Wire wire = connect();
    const auto answer = openWebSocket(wire, path, fields);
    EXPECT_TRUE(answer && answer->status == 101);
    return wire;
  }

  std::string ask(Wire& wire, const std::string& text) {
    EXPECT_TRUE(wire.send(testing::clientFrame(0x81, text)));
    return nextEvent(wire);
  }

  bool happened(const std::string& event) const {
    return eventually([&] {
      std::ifstream file(subject_.directory() + "/events.log");
      for (std::string line; std::getline(file, line);) {
        if (line == event) return true;
      }
      return false;
    });
  }

  void expectServed() {
    Wire wire = open();
    EXPECT_EQ(ask(wire, "served"), "text served");
  }

  std::size_t memory() { return memoryBytes(subject_.workerPid(1)); }

  Program subject_{BRIGADE_HTTP_SUBJECT};
};

}  // namespace brigade::test
