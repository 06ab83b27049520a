// examples/chat over four processes: one order, one history and one set of
// names for all, whatever happens to any of them.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/ChatFixture.h"

namespace brigade::test {
namespace {

// A page that comes back by itself, as chat.html does.
class Page {
 public:
  Page(std::uint16_t port, std::string name)
      : port_(port), name_(std::move(name)) {
    connect();
  }

  // Over as many connections as that takes.
  void say(const std::string& id) {
    waiting_ = id;
    visitor_->trySay(id, id);
    listenFor(id);
    waiting_.clear();
  }
  void listenFor(const std::string& id) {
    while (!known_.contains(id) && connections_ < 100) {
      const std::string frame = visitor_->hear();
      if (frame.starts_with("text ")) {
        show(json::parse(frame.substr(5)));
      } else {
        connect();
      }
    }
  }
  // The ids of all lines in the order in which they came.
  const std::vector<std::string>& log() const { return log_; }
  unsigned connections() const { return connections_; }

 private:
  void connect() {
    ++connections_;
    visitor_.emplace(port_);
    const json welcome = visitor_->join(name_, "lobby", "key of " + name_);
    ASSERT_EQ(welcome.value("type", ""), "welcome") << welcome;
    for (const json& line : welcome.at("lines")) show(line);
    if (!waiting_.empty()) visitor_->trySay(waiting_, waiting_);
  }
  void show(const json& message) {
    const std::string id = message.value("id", "");
    if (!id.empty() && known_.insert(id).second) log_.push_back(id);
  }

  std::uint16_t port_;
  std::string name_;
  std::string waiting_;  // what was said and not heard yet
  std::optional<Visitor> visitor_;
  unsigned connections_ = 0;
  std::set<std::string> known_;
  std::vector<std::string> log_;
};

class ChatProcesses : public ChatFixture {
 protected:
  // How many connections each process has.
  std::vector<unsigned> connections() const {
    std::vector<unsigned> all;
    const json status = chat_.status();
    for (const json& worker : status.at("workers")) {
      all.push_back(worker.at("connections"));
    }
    return all;
  }
  unsigned busyProcesses() const {
    unsigned busy = 0;
    for (const unsigned count : connections()) busy += count > 0 ? 1 : 0;
    return busy;
  }
  // People until there is somebody in every process: the kernel spreads them.
  std::vector<Visitor> visitEverywhere() {
    std::vector<Visitor> all;
    while (all.size() < 100 && (all.size() < 8 || busyProcesses() < 4)) {
      all.push_back(visit(nameOf(all.size())));
    }
    EXPECT_EQ(busyProcesses(), 4u);
    return all;
  }
  // The first one with connections, but for that one.
  unsigned busyProcess(unsigned except = 0) const {
    const std::vector<unsigned> counts = connections();
    for (unsigned index = 1; index <= counts.size(); ++index) {
      if (index != except && counts[index - 1] > 0) return index;
    }
    return 0;
  }
  // Somebody who has not joined yet, in another process than that one, which
  // has all who came before.
  Visitor visitElsewhere(unsigned index) {
    std::vector<Visitor> here;
    do {
      here.push_back(visit());
    } while (busyProcess(index) == 0 && here.size() < 100);
    EXPECT_NE(busyProcess(index), 0u);
    return std::move(here.back());
  }
  static std::string nameOf(std::size_t visitor) {
    return std::to_string(visitor) + "th";
  }
};

TEST_F(ChatProcesses, EverybodyHearsTheSameLinesInTheSameOrder) {
  std::vector<Visitor> visitors = visitEverywhere();
  constexpr std::size_t kEach = 10;
  for (std::size_t i = 0; i < kEach; ++i) {
    for (Visitor& visitor : visitors) visitor.say("hello", std::to_string(i));
  }
  const std::size_t total = kEach * visitors.size();
  std::vector<json> heard;
  for (std::size_t i = 0; i < total; ++i) heard.push_back(visitors[0].line());
  for (std::size_t v = 1; v < visitors.size(); ++v) {
    for (std::size_t i = 0; i < total; ++i) {
      ASSERT_EQ(visitors[v].line(), heard[i]) << "visitor " << v;
    }
  }
  // Who comes now finds the last of them, in whichever process.
  const json last(std::vector<json>(heard.end() - 50, heard.end()));
  for (std::size_t i = 0; i < 12; ++i) {
    Visitor late = visit();
    EXPECT_EQ(late.join(std::to_string(i) + " late").at("lines"), last);
  }
}

TEST_F(ChatProcesses, ANameIsTakenInAllProcesses) {
  std::vector<Visitor> visitors = visitEverywhere();
  for (std::size_t i = 0; i < 12; ++i) {
    Visitor thief = visit();
    EXPECT_EQ(errorOf(thief.join(nameOf(i % visitors.size()))), "error name");
  }
  // Of many who want it at the same moment one gets it.
  std::vector<Visitor> rivals;
  for (std::size_t i = 0; i < 12; ++i) rivals.push_back(visit());
  for (Visitor& rival : rivals) {
    rival.send(
        kText,
        json({{"type", "join"}, {"name", "Ada"}, {"room", "other"}}).dump());
  }
  std::size_t welcomes = 0;
  for (Visitor& rival : rivals) {
    if (rival.message().at("type") == "welcome") ++welcomes;
  }
  EXPECT_EQ(welcomes, 1u);
}

TEST_F(ChatProcesses, AKilledProcessTakesItsPeopleAndNothingElse) {
  Visitor ada = visit("Ada");
  const unsigned home = busyProcess();
  Visitor bob = visitElsewhere(home);
  bob.join("Bob");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  bob.say("before");
  EXPECT_EQ(lineOf(ada.message()), "Bob: before");
  EXPECT_EQ(lineOf(bob.message()), "Bob: before");

  const unsigned index = busyProcess(home);
  const pid_t victim = chat_.workerPid(index);
  ASSERT_EQ(::kill(victim, SIGKILL), 0);
  EXPECT_EQ(bob.hear(), "end");
  EXPECT_EQ(ada.message(), event("left", "Bob"));
  ASSERT_TRUE(eventually([&] {
    const pid_t now = chat_.workerPid(index);
    return now != victim && now != 0;
  }));
  bob = visit();
  const json welcome = bob.join("Bob");
  EXPECT_EQ(welcome.at("here"), json::array({"Ada", "Bob"}));
  ASSERT_EQ(welcome.at("lines").size(), 1u);
  EXPECT_EQ(lineOf(welcome.at("lines").front()), "Bob: before");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  ada.say("after");
  EXPECT_EQ(lineOf(bob.message()), "Ada: after");
}

TEST_F(ChatProcesses, PagesLoseNoLineWhileProcessesAreKilledAndReloaded) {
  Page ada(chat_.port(), "Ada");
  Page bob(chat_.port(), "Bob");
  std::vector<std::string> said;
  const auto talk = [&] {
    said.push_back(std::to_string(said.size()));
    ada.say(said.back());
    bob.listenFor(said.back());
  };
  talk();
  for (unsigned index = 1; index <= 4; ++index) {
    ASSERT_EQ(::kill(chat_.workerPid(index), SIGKILL), 0);
    talk();
  }
  EXPECT_GT(ada.connections(), 1u);
  ASSERT_TRUE(eventually([&] {
    for (const pid_t pid : chat_.workerPids()) {
      if (pid == 0) return false;
    }
    return chat_.workerPids().size() == 4;
  }));
  const unsigned before = ada.connections();
  auto reload = std::async(std::launch::async,
                           [&] { return chat_.command({"reload"}).code; });
  while (reload.wait_for(std::chrono::seconds(0)) !=
         std::future_status::ready) {
    talk();
  }
  EXPECT_EQ(reload.get(), 0);
  talk();
  EXPECT_EQ(ada.connections(), before) << "a reload was noticed";
  EXPECT_EQ(ada.log(), said);
  EXPECT_EQ(bob.log(), said);
}

TEST_F(ChatProcesses, AReloadOrNewCodeIsNoticedByNobody) {
  std::vector<Visitor> visitors = visitEverywhere();
  const auto talk = [&](const std::string& id) {
    for (Visitor& visitor : visitors) visitor.say("hello", id);
    std::vector<json> heard;
    for (Visitor& visitor : visitors) {
      for (std::size_t i = 0; i < visitors.size(); ++i) {
        // Nobody has left, nobody has come, and no line is missing.
        const json message = visitor.line();
        ASSERT_EQ(message.value("id", ""), id) << message;
        if (&visitor == &visitors.front()) {
          heard.push_back(message);
        } else {
          ASSERT_EQ(message, heard[i]);
        }
      }
    }
  };
  talk("before");
  for (int i = 0; i < 10; ++i) {
    const auto pids = chat_.workerPids();
    const Outcome outcome = chat_.command({i % 2 == 0 ? "reload" : "upgrade"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    talk(std::to_string(i));
    EXPECT_NE(chat_.workerPids(), pids);
  }
  // Names are taken still, and free when their people leave.
  const std::string last = nameOf(visitors.size() - 1);
  EXPECT_EQ(errorOf(visit().join(last)), "error name");
  visitors.back().close();
  EXPECT_TRUE(eventually(
      [&] { return visit().join(last).value("type", "") == "welcome"; }));
}

TEST_F(ChatProcesses, WhoseProcessMissesLinesIsSentAwayAndFindsThem) {
  Visitor ada = visit("Ada");
  const unsigned home = busyProcess();
  Visitor bob = visitElsewhere(home);
  bob.join("Bob", "lobby", "secret");
  EXPECT_EQ(ada.message(), event("joined", "Bob"));
  const pid_t stopped = chat_.workerPid(busyProcess(home));
  ASSERT_EQ(::kill(stopped, SIGSTOP), 0);
  // 2.5 MB: more than may wait for a process.
  const std::string text(2000, '"');
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(ada.isHeard(text, std::to_string(i)));
  }
  ASSERT_EQ(::kill(stopped, SIGCONT), 0);
  int next = 0;
  std::string heard = bob.hear();
  for (; heard.starts_with("text "); heard = bob.hear()) {
    ASSERT_EQ(json::parse(heard.substr(5)).at("id"), std::to_string(next++));
  }
  EXPECT_EQ(heard, "close 1013 lines were missed");
  EXPECT_LT(next, 600);
  bob = visit();
  const json lines = bob.join("Bob", "lobby", "secret").at("lines");
  EXPECT_EQ(lines.back().at("id"), "599");
  ada.say("after");
  EXPECT_EQ(lineOf(bob.message()), "Ada: after");
}

}  // namespace
}  // namespace brigade::test
