#pragma once

// HttpFixture: a running HttpWorker (HttpSubject.cc), and a client that is
// strict with it.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/HttpAnswer.h"
#include "tests/support/Program.h"
#include "tests/support/Wire.h"

namespace brigade::test {

class HttpFixture : public ::testing::Test {
 protected:
  static std::string get(const std::string& path,
                         const std::string& fields = {}) {
    return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  }

  static std::string postHead(const std::string& path,
                              const std::string& fields) {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  }

  static std::string post(const std::string& path, const std::string& body) {
    return postHead(path,
                    "Content-Length: " + std::to_string(body.size()) + "\r\n") +
           body;
  }

  static std::string chunk(const std::string& data) {
    std::ostringstream size;
    size << std::hex << data.size();
    return size.str() + "\r\n" + data + "\r\n";
  }

  void start(std::vector<std::string> environment = {}) {
    environment.push_back("EVENT_LOG=" + eventLog());
    subject_.start({"--listen", "http://127.0.0.1:0"}, environment);
    wire_ = std::make_unique<Wire>(connect());
  }

  Wire connect() { return Wire(subject_.port()); }

  std::string eventLog() const { return subject_.directory() + "/events.log"; }

  bool happened(const std::string& event) const {
    return eventually([&] {
      std::ifstream file(eventLog());
      for (std::string line; std::getline(file, line);) {
        if (line == event) return true;
      }
      return false;
    });
  }

  void send(const std::string& bytes) { ASSERT_TRUE(wire_->send(bytes)); }

  // "200 the body", or "nothing" when the server closes before.
  std::string answer(AnswerTo method = AnswerTo::kOther) {
    const auto next = nextAnswer(*wire_, method);
    if (!next) return "nothing";
    closes_ = next->closes();
    return std::to_string(next->status) + " " + next->body;
  }

  std::string ask(const std::string& bytes) {
    send(bytes);
    return answer();
  }

  // Behind an answer that says so.
  void expectClosed() {
    EXPECT_TRUE(closes_);
    EXPECT_TRUE(wire_->isClosed()) << wire_->received();
  }

  void expectServed() {
    wire_ = std::make_unique<Wire>(connect());
    EXPECT_EQ(ask(get("/")), "200 hello");
  }

  std::uint64_t total(const std::string& name) {
    return subject_.status().at("totals").at(name).get<std::uint64_t>();
  }

  // Bytes of answers that the clients have not taken.
  std::uint64_t waiting() {
    std::uint64_t sum = 0;
    const Outcome outcome = subject_.command({"connections", "--json"});
    for (const auto& one : nlohmann::json::parse(outcome.out)) {
      sum += one.at("sendQueue").get<std::uint64_t>();
    }
    return sum;
  }

  std::size_t memory() { return memoryBytes(subject_.workerPid(1)); }

  Program subject_{BRIGADE_HTTP_SUBJECT};
  std::unique_ptr<Wire> wire_;
  bool closes_ = false;
};

}  // namespace brigade::test
