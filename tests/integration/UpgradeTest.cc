// New code under the same PID, without a client that notices: whole programs,
// copies of one binary that differ in their last line (UpgradeSubject.cc).

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iomanip>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/support/UpgradeFixture.h"

namespace brigade::test {
namespace {

using nlohmann::json;

TEST_F(UpgradeTest, T17_AReloadTakesTheCodeThatLiesThereNow) {
  start();
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  const pid_t master = program.masterPid();
  const auto before = program.workerPids();
  install("2");
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("upgrading"), std::string::npos) << outcome.err;
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
  const json status = program.status();
  EXPECT_EQ(status.at("pid"), master);
  EXPECT_EQ(status.at("upgrades"), 1);
  EXPECT_EQ(status.at("note"), "");
  EXPECT_EQ(status.at("state"), "running");
  for (const pid_t pid : before) EXPECT_FALSE(hasPid(pid));
  // And from there on, as often as one likes.
  install("3");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(versions(), std::set<std::string>{"version=3"});
  EXPECT_EQ(program.status().at("upgrades"), 2);
}

TEST_F(UpgradeTest, T17_TheSameCodeIsReloadedAsEver) {
  start();
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(program.status().at("upgrades"), 0);
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  EXPECT_EQ(program.status().at("upgrades"), 1);
}

TEST_F(UpgradeTest, P46_Usr2UpgradesAndHupDoesWhenTheFileHasChanged) {
  start();
  ::kill(program.masterPid(), SIGUSR2);
  ASSERT_TRUE(eventually([&] { return program.status().at("upgrades") == 1; }));
  ASSERT_TRUE(
      eventually([&] { return program.status().at("state") == "running"; }));
  install("2");
  ::kill(program.masterPid(), SIGHUP);
  ASSERT_TRUE(eventually([&] { return program.status().at("upgrades") == 2; }));
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
}

TEST_F(UpgradeTest, NoRequestIsLostUnderLoad) {
  start();
  const std::uint16_t port = program.port();
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; !over; ++n) {
        Wire wire(port);
        const std::string text = std::to_string(n);
        const auto answer = wire.ask("echo " + text);
        ++(answer == text ? answered : failed);
      }
    });
  }
  for (int i = 2; i < 12; ++i) {
    install(std::to_string(i));
    const Outcome outcome = program.command({"reload"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(answered, 100);
  EXPECT_EQ(program.status().at("upgrades"), 10);
}

TEST_F(UpgradeTest, ARequestInFlightIsAnsweredByTheCodeThatHasIt) {
  start();
  Wire slow(program.port());
  slow.send("slow 500\n");
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(slow.line(), "slow");
}

TEST_F(UpgradeTest, ConnectionsGoFromCodeToCode) {
  start({"HANDOVER=yes"});
  std::vector<Wire> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(program.port());
  for (int version = 1; version <= 6; ++version) {
    for (Wire& client : clients) {
      const std::string now = "version=" + std::to_string(version);
      EXPECT_EQ(client.ask("id").value_or("(closed)").substr(0, 9), now);
      // Half a question, for the next one to answer.
      EXPECT_TRUE(client.send("echo half"));
    }
    install(std::to_string(version + 1));
    const Outcome outcome = program.command({"reload"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    for (Wire& client : clients) {
      EXPECT_EQ(client.ask(" and half").value_or("(closed)"), "half and half");
    }
  }
}

// ---- What is taken along

TEST_F(UpgradeTest, SharedStateAndTheMastersOwnAreTakenAlong) {
  start();
  EXPECT_EQ(ask("set color blue"), "set");
  EXPECT_EQ(ask("tell one"), "told");
  ASSERT_TRUE(eventually([&] { return ask("told") == "one "; }));
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(ask("get color"), "blue");
  EXPECT_EQ(ask("tell two"), "told");
  ASSERT_TRUE(eventually([&] { return ask("told") == "one two "; }));
  EXPECT_EQ(ask("ask now"), "version=2");
  // Changes go on reaching everybody.
  EXPECT_EQ(ask("set color green"), "set");
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(eventually([&] { return ask("get color") == "green"; }));
  }
}

TEST_F(UpgradeTest, WhatHasRunOnceDoesNotRunAgain) {
  start();
  EXPECT_EQ(ask("once key"), "ran");
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(ask("once key"), "not");
}

TEST_F(UpgradeTest, ATaskThatIsUnderWayIsAnswered) {
  start();
  Wire asker(program.port());
  asker.send("consume 300 done\n");
  install("2");
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  const auto answer = asker.line();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->substr(0, 8), "done by ");
}

TEST_F(UpgradeTest, TheMasterAnswersBeforeItBecomesAnother) {
  start();
  Wire asker(program.port());
  asker.send("ask later\n");
  EXPECT_EQ(asker.ask("told"), "") << "the master has both questions";
  Wire other(program.port());
  install("2");
  std::thread upgrade([&] { EXPECT_EQ(program.command({"upgrade"}).code, 0); });
  EXPECT_TRUE(eventually(
      [&] { return program.log().find("checking") != std::string::npos; }));
  EXPECT_EQ(other.ask("tell release"), "told");
  EXPECT_EQ(asker.line(), "version=1");
  upgrade.join();
}

TEST_F(UpgradeTest, MailOfAStoppedWorkerIsTakenAlong) {
  start();
  const auto pids = program.workerPids();
  const auto first = clientOf(pids[0]);
  const auto second = clientOf(pids[1]);
  ::kill(pids[1], SIGSTOP);
  // More than its socket takes: the rest waits in the master.
  const std::string text(50'000, 'x');
  constexpr std::size_t kLetters = 15;
  for (std::size_t i = 0; i < kLetters; ++i) {
    EXPECT_EQ(first->ask("spread " + text), "spread");
  }
  // It has to be answered: so the connection is not quiet when it drains.
  second->send("ask later\n");
  install("2");
  std::thread upgrade([&] {
    const Outcome outcome = program.command({"upgrade"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  });
  EXPECT_TRUE(eventually(
      [&] { return program.log().find("takes over") != std::string::npos; }));
  ::kill(pids[1], SIGCONT);
  std::size_t heard = 0;
  EXPECT_TRUE(eventually([&] {
    heard = second->ask("heard").value_or("").size();
    return heard == kLetters * (text.size() + 1);
  })) << heard;
  EXPECT_EQ(second->ask("told"), "") << "the master has both questions";
  EXPECT_EQ(ask("tell release"), "told");
  EXPECT_EQ(second->line(), "version=2");
  upgrade.join();
}

// Whether the kernel has set the timer of SO_KEEPALIVE at the server's end of
// that connection (proc_net_tcp(5): the second of what stands before "->when").
bool isWatchedByTheKernel(const Wire& client) {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &length);
  std::ostringstream remote;
  remote << ':' << std::uppercase << std::hex << std::setw(4)
         << std::setfill('0') << ntohs(own.sin_port);
  std::ifstream table("/proc/net/tcp");
  std::string slot, local, peer, state, queues, timer;
  for (std::string line; std::getline(table, line);) {
    std::istringstream(line) >> slot >> local >> peer >> state >> queues >>
        timer;
    if (peer.ends_with(remote.str()) && state == "01") {
      return timer.starts_with("02:");
    }
  }
  return false;
}

TEST_F(UpgradeTest, TheSocketHasTheSettingsOfTheNewCode) {
  start();
  Wire before(program.port());
  EXPECT_EQ(before.ask("id").value_or("").substr(0, 9), "version=1");
  EXPECT_FALSE(isWatchedByTheKernel(before));
  install("2 keep-alive");
  const Outcome outcome = program.command({"upgrade"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  Wire after(program.port());
  EXPECT_EQ(after.ask("id").value_or("").substr(0, 9), "version=2");
  EXPECT_TRUE(eventually([&] { return isWatchedByTheKernel(after); }));
}

TEST_F(UpgradeTest, AProgramGoesOnAndIsHeardByTheNewCode) {
  const std::string heard = folder.name() + "/heard";
  start({"COUNTER=" BRIGADE_COMPANION " count 5", "HEARD=" + heard});
  const auto lines = [&] {
    std::vector<std::string> all;
    std::ifstream file(heard);
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  };
  ASSERT_TRUE(eventually([&] { return lines().size() >= 3; }));
  const json before = program.status().at("programs").at(0);
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  const std::size_t then = lines().size();
  ASSERT_TRUE(eventually([&] { return lines().size() >= then + 3; }));
  const json after = program.status().at("programs").at(0);
  EXPECT_EQ(after.at("pid"), before.at("pid"));
  EXPECT_EQ(after.at("restarts"), 0);
  EXPECT_GT(after.at("messages"), before.at("messages"));
  const auto all = lines();
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].substr(2), std::to_string(i + 1));
  }
  EXPECT_EQ(all.front()[0], '1');
  EXPECT_EQ(all.back()[0], '2');
}

TEST_F(UpgradeTest, AProgramWhoseChannelIsClosedGoesOnWithout) {
  start({"COUNTER=" BRIGADE_COMPANION " bad short",
         "HEARD=" + folder.name() + "/heard"});
  const auto row = [&] { return program.status().at("programs").at(0); };
  ASSERT_TRUE(eventually([&] { return row().at("badMessages") == 1; }));
  const json before = row();
  install("2");
  const Outcome outcome = program.command({"reload"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(row().at("pid"), before.at("pid"));
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
}

TEST_F(UpgradeTest, FiguresAndGenerationsGoOn) {
  start();
  for (int i = 0; i < 10; ++i) ask("echo x");
  const auto sum = [&](const char* figure) {
    std::uint64_t all = 0;
    const json status = program.status();
    for (const json& worker : status.at("workers")) {
      all += worker.at(figure).get<std::uint64_t>();
    }
    return all;
  };
  EXPECT_EQ(sum("messages"), 10u);
  const json started = program.status().at("started");
  install("2");
  EXPECT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(sum("messages"), 10u);
  EXPECT_EQ(sum("generation"), 4u);
  EXPECT_EQ(program.status().at("started"), started);
  ask("echo x");
  EXPECT_EQ(sum("messages"), 11u);
}

TEST_F(UpgradeTest, NothingOpenGathersOverManyUpgrades) {
  start();
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  const std::size_t before = descriptorCount(program.masterPid());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(program.command({"upgrade"}).code, 0);
  }
  EXPECT_EQ(descriptorCount(program.masterPid()), before);
  std::size_t most = 0;
  for (const pid_t pid : program.workerPids()) {
    most = std::max(most, descriptorCount(pid));
  }
  EXPECT_EQ(program.command({"upgrade"}).code, 0);
  for (const pid_t pid : program.workerPids()) {
    EXPECT_LE(descriptorCount(pid), most);
  }
}

// ---- Without a file

TEST_F(UpgradeTest, AReloadWithoutTheProgramsFileSaysSoAndKeepsTheCode) {
  start();
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  std::filesystem::remove(path);
  const std::string warning =
      "the program's file " + path + " is gone: the code that runs goes on";
  const auto command = [&](const char* word) {
    return runCommand(
        {BRIGADE_UPGRADE_SUBJECT, word, "--run-dir", program.directory()});
  };
  const Outcome reload = command("reload");
  EXPECT_EQ(reload.code, 0) << reload.err;
  EXPECT_NE(reload.err.find(warning + "\n"), std::string::npos) << reload.err;
  EXPECT_NE(program.log().find("reload: " + warning), std::string::npos);
  EXPECT_NE(program.log().find("reloaded"), std::string::npos);
  EXPECT_EQ(versions(), std::set<std::string>{"version=1"});
  // An upgrade has nothing to go on as.
  const Outcome upgrade = command("upgrade");
  EXPECT_EQ(upgrade.code, 1);
  EXPECT_NE(upgrade.err.find("cannot open " + path), std::string::npos);
  // A signal has nobody but the log to tell.
  std::size_t told = 0;
  ::kill(program.masterPid(), SIGHUP);
  EXPECT_TRUE(eventually([&] {
    const std::string text = program.log();
    told = 0;
    for (auto at = text.find(warning); at != std::string::npos;
         at = text.find(warning, at + 1)) {
      ++told;
    }
    return told == 2;
  })) << told;
  install("2");
  EXPECT_TRUE(eventually([&] { return command("reload").code == 0; }));
  EXPECT_EQ(versions(), std::set<std::string>{"version=2"});
  EXPECT_EQ(program.log().find(warning, program.log().rfind("takes over")),
            std::string::npos);
}

// ---- --check

TEST_F(UpgradeTest, CheckLooksAtTheSettingsAndStartsNothing) {
  Outcome outcome = runCommand({path, "start", "--check"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "upgraded: the settings are good\n");
  outcome = runCommand({path, "start", "--check", "--listen", "nonsense"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("nonsense"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace brigade::test
