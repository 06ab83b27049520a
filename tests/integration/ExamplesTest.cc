// The examples, run as the README says, with a client nobody here wrote: nc.
// The chat is in ChatTest.cc.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/Program.h"
#include "tests/support/TempDirectory.h"
#include "tests/support/Wire.h"

namespace brigade::test {
namespace {

std::string nc(const Program& program, const std::string& input) {
  const Outcome outcome =
      runCommand({"/bin/sh", "-c",
                  "printf '" + input + "' | nc -N -w 10 127.0.0.1 " +
                      std::to_string(program.port())});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out;
}

TEST(ExamplesTest, ShoutAnswersInUpperCase) {
  Program shout(example("shout"));
  shout.start({"--listen", "text://127.0.0.1:0"});
  EXPECT_EQ(nc(shout, "hello\\nworld\\n"), "HELLO\nWORLD\n");
  EXPECT_EQ(shout.status().at("workers").size(), 4u);
}

TEST(ExamplesTest, ClustersProcessesWorkAsOne) {
  Program cluster(example("cluster"));
  cluster.start({"--listen", "text://127.0.0.1:0"});
  std::vector<std::unique_ptr<Wire>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Wire>(cluster.port()));
  }
  // All at once, so that they are in each other's way.
  for (const auto& client : clients) ASSERT_TRUE(client->send("add 5\n"));
  std::set<std::string> sums;
  for (const auto& client : clients) sums.insert(client->line().value_or(""));
  EXPECT_EQ(sums, (std::set<std::string>{"5", "10", "15", "20", "25", "30",
                                         "35", "40"}));
  EXPECT_EQ(clients[0]->ask("sum"), "8");
  std::set<std::string> doers;
  for (int i = 0; i < 8; ++i) {
    const std::string done = clients[0]->ask("job x").value_or("");
    EXPECT_TRUE(done.starts_with("worker ") && done.ends_with(" did x"));
    doers.insert(done);
  }
  EXPECT_EQ(doers.size(), 4u);
  EXPECT_TRUE(
      eventually([&] { return clients[0]->ask("program ping") == "PING"; }));
  ASSERT_TRUE(clients[0]->send("tell hello\n"));
  for (const auto& client : clients) EXPECT_EQ(client->line(), "hello");
}

TEST(ExamplesTest, ClusterKeepsItsSumWhenAWorkerIsKilled) {
  Program cluster(example("cluster"));
  cluster.start({"--listen", "text://127.0.0.1:0"});
  EXPECT_EQ(Wire(cluster.port()).ask("add 7"), "7");
  const std::vector<pid_t> old = cluster.workerPids();
  for (const pid_t pid : old) ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    for (const pid_t pid : cluster.workerPids()) {
      if (pid == 0 || std::find(old.begin(), old.end(), pid) != old.end()) {
        return false;
      }
    }
    return true;
  }));
  EXPECT_EQ(Wire(cluster.port()).ask("add 1"), "8");
}

TEST(ExamplesTest, EchoSpeaksWhateverItsAddressSays) {
  for (const char* protocol : {"tcp", "text", "frame"}) {
    Program echo(example("echo"));
    echo.start({"--listen", std::string(protocol) + "://127.0.0.1:0"});
    const std::string bytes = protocol == std::string("frame")
                                  ? "\\000\\000\\000\\007abc"
                                  : "some bytes\\n";
    const std::string expected = protocol == std::string("frame")
                                     ? std::string("\0\0\0\7abc", 7)
                                     : "some bytes\n";
    EXPECT_EQ(nc(echo, bytes), expected) << protocol;
  }
}

TEST(ExamplesTest, EchoListensOnIPv6AndTakesIPv4There) {
  Program echo(example("echo"));
  echo.start({"--listen", "text://[::]:0"});
  EXPECT_EQ(nc(echo, "four\\n"), "four\n");
  const Outcome six = runCommand(
      {"/bin/sh", "-c",
       "printf 'six\\n' | nc -6 -N -w 10 ::1 " + std::to_string(echo.port())});
  EXPECT_EQ(six.out, "six\n");
}

TEST(ExamplesTest, EchoLosesNothingToASlowReader) {
  Program echo(example("echo"));
  echo.start({"--listen", "tcp://127.0.0.1:0"});
  const Outcome outcome =
      runCommand({"/bin/sh", "-c",
                  "head -c 20000000 /dev/zero | nc -N -w 20 127.0.0.1 " +
                      std::to_string(echo.port()) + " | wc -c"});
  EXPECT_EQ(std::stoul(outcome.out), 20'000'000u);
  EXPECT_EQ(echo.status().at("totals").at("sendFailures"), 0);
}

TEST(ExamplesTest, EchoReadsOnWhenItsClientDoes) {
  Program echo(example("echo"));
  echo.start({"--listen", "tcp://127.0.0.1:0"});
  Wire client(echo.port());
  // Until it is not read from any more.
  const std::string piece(64 * 1024, 'x');
  std::size_t sent = 0;
  pollfd room{client.fd(), POLLOUT, 0};
  while (::poll(&room, 1, 500) == 1) {
    const ssize_t n = ::send(client.fd(), piece.data(), piece.size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<std::size_t>(n);
    ASSERT_LT(sent, 100'000'000u) << "it reads and reads";
  }
  for (const std::size_t more : {std::size_t{0}, std::size_t{5}}) {
    ASSERT_TRUE(client.send(std::string(more, 'y')));
    std::size_t left = sent + more;
    std::string bytes(1 << 20, '\0');
    pollfd heard{client.fd(), POLLIN, 0};
    while (left > 0 && ::poll(&heard, 1, 20'000) == 1) {
      const ssize_t n = ::recv(client.fd(), bytes.data(), bytes.size(), 0);
      ASSERT_GT(n, 0);
      left -= static_cast<std::size_t>(n);
    }
    EXPECT_EQ(left, 0u);
    sent = 0;
  }
}

TEST(ExamplesTest, JsonlAddsUpAndRefusesWhatIsNoJson) {
  Program jsonl(example("jsonl"));
  jsonl.start({"--listen", "jsonl://127.0.0.1:0"});
  EXPECT_EQ(nc(jsonl, "[1, 2, 3.5]\\n"), "{\"count\":3,\"sum\":6.5}\n");
  EXPECT_EQ(nc(jsonl, "no json\\n"), "");
  EXPECT_EQ(jsonl.status().at("totals").at("protocolErrors"), 1);
}

TEST(ExamplesTest, HelloServesAFolder) {
  const TempDirectory folder;
  std::ofstream(folder / "a.txt") << "from a file";
  Program hello(example("hello"));
  hello.start({"--listen", "http://127.0.0.1:0"},
              {"HELLO_FILES=" + folder.name()});
  EXPECT_TRUE(nc(hello, "GET /files/a.txt HTTP/1.0\\r\\n\\r\\n")
                  .ends_with("\r\n\r\nfrom a file"));
}

// curl, which keeps the cookie as a browser does.
std::string visit(const Program& hello, const std::string& jar) {
  const Outcome outcome = runCommand(
      {"/usr/bin/curl", "-sS", "--max-time", "20", "-b", jar, "-c", jar,
       "http://127.0.0.1:" + std::to_string(hello.port()) + "/session"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out;
}

TEST(ExamplesTest, HelloCountsVisitsOverReloadsAndCrashes) {
  const TempDirectory jars;
  Program hello(example("hello"));
  hello.start({"--listen", "http://127.0.0.1:0", "--workers", "2"});
  EXPECT_EQ(visit(hello, jars / "ada"), "Visits: 1\n");
  EXPECT_EQ(visit(hello, jars / "ada"), "Visits: 2\n");
  EXPECT_EQ(visit(hello, jars / "bob"), "Visits: 1\n");
  ASSERT_EQ(hello.command({"reload"}).code, 0);
  EXPECT_EQ(visit(hello, jars / "ada"), "Visits: 3\n");
  const pid_t first = hello.workerPid(1);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const pid_t now = hello.workerPid(1);
    return now != 0 && now != first;
  }));
  EXPECT_EQ(visit(hello, jars / "ada"), "Visits: 4\n");
  EXPECT_EQ(visit(hello, jars / "bob"), "Visits: 2\n");
}

TEST(ExamplesTest, BackgroundTicksWithoutAnAddress) {
  Program background(example("background"));
  background.start();
  EXPECT_EQ(background.status().at("workers").size(), 3u);
  EXPECT_TRUE(eventually([&] {
    const std::string log = background.log();
    return log.find("ticker worker 1") != std::string::npos &&
           log.find("tick 2") != std::string::npos;
  }));
  EXPECT_EQ(background.status().at("workers").at(0).at("timers"), 1);
}

}  // namespace
}  // namespace brigade::test
