// Connections that survive a reload: HTTP and WebSockets, with their topics.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/WebClient.h"
#include "tests/support/WebSocketFrames.h"

namespace brigade::test {
namespace {

class HandoverWebTest : public ::testing::Test {
 protected:
  void start(unsigned workers, std::vector<std::string> environment = {}) {
    environment.push_back("KIND=web");
    program.start({"--workers", std::to_string(workers)}, environment);
  }
  void reload() {
    const Outcome outcome = program.command({"reload"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  WebClient open() {
    WebClient client(program.port());
    EXPECT_TRUE(client.upgrade());
    return client;
  }
  static std::string ask(WebClient& client, const std::string& text) {
    EXPECT_TRUE(client.sendText(text));
    return client.text();
  }
  WebClient subscribed(const std::string& topic) {
    WebClient client = open();
    EXPECT_EQ(ask(client, "sub " + topic), "subscribed");
    return client;
  }

  Program program{BRIGADE_HANDOVER_SUBJECT};
};

TEST_F(HandoverWebTest, AKeptConnectionIsAnsweredByTheSuccessor) {
  start(1);
  WebClient client(program.port());
  std::string pid = client.get("/").body;
  for (int i = 0; i < 5; ++i) {
    // Half a head before, half behind.
    ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHo"));
    reload();
    ASSERT_TRUE(client.send("st: a\r\n\r\n"));
    const HttpAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 200u);
    EXPECT_NE(answer.body, pid);
    pid = answer.body;
  }
}

TEST_F(HandoverWebTest, AnUpgradeBehindAReloadIsOne) {
  start(1);
  WebClient client(program.port());
  EXPECT_EQ(client.get("/").status, 200u);
  reload();
  ASSERT_TRUE(client.upgrade());
  EXPECT_EQ(ask(client, "a"), "1 a");
  reload();
  EXPECT_EQ(ask(client, "b"), "2 b");
}

TEST_F(HandoverWebTest, AWebSocketGoesOnInsideAMessageAndAFrame) {
  start(1);
  WebClient client = open();
  for (int i = 0; i < 5; ++i) {
    const std::string last = testing::clientFrame(0x80, "ment\xC3\xA9");
    ASSERT_TRUE(client.sendFrame(0x01, "frag"));
    ASSERT_TRUE(client.send(last.substr(0, last.size() - 1)));
    reload();
    ASSERT_TRUE(client.send(last.substr(last.size() - 1)));
    EXPECT_EQ(client.text(), std::to_string(i + 1) + " fragment\xC3\xA9");
  }
  // The whole of a pong, and of the goodbye.
  ASSERT_TRUE(client.sendFrame(0x89, "still there"));
  EXPECT_EQ(nextEvent(client), "pong still there");
  ASSERT_TRUE(client.sendFrame(0x88, testing::closePayload(1000)));
  EXPECT_EQ(nextEvent(client), "close 1000");
}

TEST_F(HandoverWebTest, OneThatIsCompressedWithoutContextGoesOn) {
  start(1, {"COMPRESSED=yes"});
  WebClient client(program.port());
  const auto answer = openWebSocket(
      client, "/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  ASSERT_TRUE(answer && answer->status == 101);
  const std::string text(4000, 'a');
  for (int i = 1; i < 4; ++i) {
    ASSERT_TRUE(client.sendText(text));
    const auto frame = nextFrame(client);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->first, 0xC1u);
    EXPECT_LT(frame->payload.size(), 200u);
    reload();
  }
}

// What each subscriber hears of each publisher, as it should be.
class Listener {
 public:
  explicit Listener(unsigned publishers) : next_(publishers) {}
  // "PUBLISHER NUMBER" or "PUBLISHER end"
  bool hear(const std::string& text) {
    std::istringstream words(text);
    unsigned publisher = 0;
    std::string what;
    words >> publisher >> what;
    if (words.fail() || publisher >= next_.size()) return false;
    if (what == "end") {
      ++ended_;
      return true;
    }
    if (what != std::to_string(next_[publisher])) return false;
    ++next_[publisher];
    return true;
  }
  bool isDone() const { return ended_ == next_.size(); }
  const std::vector<unsigned>& counts() const { return next_; }

 private:
  std::vector<unsigned> next_;
  unsigned ended_ = 0;
};

// As it comes: what is not read makes the server's kernel slow. Until each has
// heard all ends; else what went wrong first.
std::string listen(std::vector<WebClient>& subscribers,
                   std::vector<Listener>& listeners,
                   std::atomic<std::size_t>& heard) {
  std::vector<pollfd> waits;
  for (const WebClient& each : subscribers) {
    waits.push_back({each.fd(), POLLIN, 0});
  }
  for (std::size_t left = subscribers.size(); left > 0;) {
    if (::poll(waits.data(), waits.size(), 20'000) <= 0) return "silence";
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      do {
        ++heard;
        const std::string text = subscribers[i].text();
        if (!listeners[i].hear(text)) {
          std::string wrong = "subscriber ";
          wrong.append(std::to_string(i)).append(" heard ").append(text);
          return wrong + " behind " +
                 ::testing::PrintToString(listeners[i].counts());
        }
      } while (!subscribers[i].received().empty());
      if (!listeners[i].isDone()) continue;
      waits[i].fd = -1;
      --left;
    }
  }
  return "";
}

unsigned wanted(const char* variable, unsigned usual) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? usual : static_cast<unsigned>(std::stoul(text));
}

void raiseDescriptorLimit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// By `reload`, or by `upgrade`, with which the master becomes newer code.
class HandoverWebBy : public HandoverWebTest,
                      public ::testing::WithParamInterface<const char*> {};

// HANDOVER_CLIENTS=5000 for more of them.
TEST_P(HandoverWebBy, SubscribersHearEveryNumberOnceAndInOrder) {
  constexpr unsigned kPublishers = 8;
  raiseDescriptorLimit();
  start(4);
  std::vector<WebClient> subscribers;
  for (unsigned left = wanted("HANDOVER_CLIENTS", 300); left > 0; --left) {
    subscribers.push_back(subscribed("news"));
  }
  std::vector<WebClient> publishers;
  for (unsigned i = 0; i < kPublishers; ++i) publishers.push_back(open());

  std::vector<Listener> listeners(subscribers.size(), Listener(kPublishers));
  std::atomic<std::size_t> heard{0};
  auto listening = std::async(std::launch::async, [&] {
    return listen(subscribers, listeners, heard);
  });
  auto reloads = std::async(std::launch::async, [&] {
    int failed = 0;
    for (unsigned i = wanted("HANDOVER_RELOADS", 20); i > 0; --i) {
      if (program.command({GetParam()}).code != 0) ++failed;
    }
    return failed;
  });
  unsigned round = 0;
  // Other processes are told as fast as this one can: past their windows they
  // would be left out, reload or not.
  constexpr unsigned kAhead = 20;
  const auto isClose = [&] {
    return heard + kAhead * kPublishers * subscribers.size() >=
           round * kPublishers * subscribers.size();
  };
  const auto publish = [&](const std::string& what) {
    for (unsigned p = 0; p < kPublishers; ++p) {
      std::string text = "pub news ";
      text.append(std::to_string(p)).append(" ").append(what);
      ASSERT_TRUE(publishers[p].sendText(text));
      ASSERT_TRUE(publishers[p].sendText("echo"));
    }
    for (WebClient& publisher : publishers) {
      ASSERT_EQ(publisher.text(), std::to_string(round + 1) + " echo");
    }
  };
  while (reloads.wait_for(std::chrono::seconds(0)) !=
             std::future_status::ready &&
         !HasFatalFailure()) {
    publish(std::to_string(round));
    ++round;
    ASSERT_TRUE(eventually(isClose));
  }
  EXPECT_EQ(reloads.get(), 0);
  ASSERT_FALSE(HasFatalFailure());
  publish("end");

  EXPECT_EQ(listening.get(), "");
  for (const Listener& listener : listeners) {
    ASSERT_EQ(listener.counts(), std::vector<unsigned>(kPublishers, round));
  }
  RecordProperty("numbers", static_cast<int>(round));
}

INSTANTIATE_TEST_SUITE_P(Web, HandoverWebBy,
                         ::testing::Values("reload", "upgrade"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

}  // namespace
}  // namespace brigade::test
