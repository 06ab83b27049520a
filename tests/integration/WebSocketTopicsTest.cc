// Topics over several processes of one Worker: what is published in one reaches
// the subscribers of all, once and in order.

#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/WebClient.h"

namespace brigade::test {
namespace {

class WebSocketTopics : public ::testing::Test {
 protected:
  WebClient open() {
    WebClient client(program.port());
    EXPECT_TRUE(client.upgrade());
    EXPECT_EQ(client.text(), "hello /");
    return client;
  }
  WebClient subscribed(const std::string& topic) {
    WebClient client = open();
    EXPECT_TRUE(client.sendText("sub " + topic));
    EXPECT_TRUE(client.sendText("sync"));
    EXPECT_EQ(client.text(), "sync");
    return client;
  }
  // Connections of the process at each index.
  std::vector<std::uint64_t> connections() const {
    std::vector<std::uint64_t> all;
    const auto status = program.status();
    for (const auto& worker : status.at("workers")) {
      all.push_back(worker.at("connections"));
    }
    return all;
  }

  Program program{BRIGADE_WEB_SUBJECT};
};

TEST_F(WebSocketTopics, WhatIsPublishedReachesTheSubscribersOfAllProcesses) {
  program.start({"--workers", "4"});
  std::vector<WebClient> clients;
  // Until every process has one: the kernel spreads them.
  const auto everywhere = [&] {
    for (const std::uint64_t count : connections()) {
      if (count == 0) return false;
    }
    return true;
  };
  while (clients.size() < 200 && (clients.size() < 12 || !everywhere())) {
    clients.push_back(subscribed("news"));
  }
  ASSERT_TRUE(everywhere());
  WebClient stranger = open();
  constexpr int kTexts = 50;
  for (int i = 0; i < kTexts; ++i) {
    ASSERT_TRUE(clients[0].sendText("pub news " + std::to_string(i)));
  }
  for (std::size_t c = 1; c < clients.size(); ++c) {
    for (int i = 0; i < kTexts; ++i) {
      ASSERT_EQ(clients[c].text(), std::to_string(i)) << "client " << c;
    }
  }
  // Nothing comes twice, and nothing to whom it does not concern.
  for (std::size_t c = 1; c < clients.size(); ++c) {
    ASSERT_TRUE(clients[c].sendText("sync"));
    EXPECT_EQ(clients[c].text(), "sync");
  }
  ASSERT_TRUE(stranger.sendText("sync"));
  EXPECT_EQ(stranger.text(), "sync");
}

TEST_F(WebSocketTopics, WhatIsPublishedHereStaysInThisProcess) {
  program.start({"--workers", "2"});
  std::vector<WebClient> clients;
  while (clients.size() < 100 && (clients.size() < 2 || connections()[0] == 0 ||
                                  connections()[1] == 0)) {
    clients.push_back(subscribed("news"));
  }
  const std::vector<std::uint64_t> there = connections();
  WebClient publisher = open();
  ASSERT_TRUE(publisher.sendText("here news one"));
  const std::string told = publisher.text();
  // The other process would have heard it before this one.
  ASSERT_TRUE(publisher.sendText("pub news both"));
  std::uint64_t heard = 0;
  for (WebClient& client : clients) {
    const std::string first = client.text();
    if (first != "one") {
      EXPECT_EQ(first, "both");
      continue;
    }
    ++heard;
    EXPECT_EQ(client.text(), "both");
  }
  EXPECT_EQ(told, "told " + std::to_string(heard));
  EXPECT_TRUE(heard == there[0] || heard == there[1]) << heard;
}

TEST_F(WebSocketTopics, AProcessThatIsKilledTakesItsOwnSubscribersOnly) {
  program.start({"--workers", "2"});
  std::vector<WebClient> clients;
  while (clients.size() < 100 && (clients.size() < 2 || connections()[0] == 0 ||
                                  connections()[1] == 0)) {
    clients.push_back(subscribed("news"));
  }
  ASSERT_GT(connections()[1], 0u);
  const pid_t victim = program.workerPid(2);
  ::kill(victim, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    return program.workerPid(2) != victim && program.workerPid(2) != 0;
  }));
  // Somebody new publishes, in whichever process: those who are left hear it.
  WebClient publisher = subscribed("other");
  ASSERT_TRUE(publisher.sendText("pub news after"));
  std::size_t heard = 0;
  for (WebClient& client : clients) {
    if (client.text() == "after") ++heard;
  }
  EXPECT_EQ(heard, connections()[0] + connections()[1] - 1);
}

}  // namespace
}  // namespace brigade::test
