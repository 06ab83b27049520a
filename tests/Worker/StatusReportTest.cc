#include "brigade/Worker/detail/StatusReport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "brigade/Worker/detail/Status.h"

namespace brigade::detail {
namespace {

class StatusReport : public ::testing::Test {
 protected:
  StatusReport() {
    status_.name = "shop";
    status_.version = "1.4";
    status_.brigadeVersion = "0.1.0";
    status_.pid = 812;
    status_.state = "running";
    status_.event = "libev";
    status_.started = std::chrono::system_clock::from_time_t(1795246454);
    status_.uptime = 273600;
    status_.load[0] = 0.25;
    status_.runDirectory = "/run/shop";
  }

  WorkerStatus& add(unsigned index) {
    WorkerStatus worker;
    worker.index = index;
    worker.name = "shout";
    worker.pid = 812 + static_cast<pid_t>(index);
    worker.state = "ready";
    worker.memory = 8 << 20;
    worker.address = "text://0.0.0.0:5678";
    status_.workers.push_back(worker);
    return status_.workers.back();
  }

  std::string table() const { return statusTable(toJson(status_)); }
  // Of the row that begins with `index`, split where two spaces stand.
  std::vector<std::string> row(const std::string& index) const {
    std::istringstream in(table());
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(index + " ")) return cellsOf(line);
    }
    return {};
  }
  static std::vector<std::string> cellsOf(const std::string& line) {
    std::vector<std::string> cells;
    for (std::size_t at = 0; at < line.size();) {
      const auto end = std::min(line.find("  ", at), line.size());
      cells.push_back(line.substr(at, end - at));
      at = std::min(line.find_first_not_of(' ', end), line.size());
    }
    return cells;
  }
  std::string uptimeOf(double seconds) {
    status_.workers.clear();
    add(1).uptime = seconds;
    return row("1").at(13);
  }
  std::string memoryOf(std::uint64_t bytes) {
    status_.workers.clear();
    add(1).memory = bytes;
    return row("1").at(4);
  }
  std::string messagesOf(std::uint64_t number) {
    status_.workers.clear();
    add(1).messages = number;
    return row("1").at(8);
  }

  ProgramStatus status_;
};

TEST_F(StatusReport, ShowsTheProgramsBehindTheWorkers) {
  add(1);
  EXPECT_EQ(table().find("program "), std::string::npos);
  status_.programs.resize(2);
  CommandStatus& first = status_.programs[0];
  first.name = "indexer";
  first.pid = 820;
  first.state = "running";
  first.memory = 2 << 20;
  first.messages = 7;
  first.uptime = 61;
  CommandStatus& second = status_.programs[1];
  second.name = "a\nb";
  second.state = "backoff";
  second.backoff = 3.24;
  second.badMessages = 1;
  second.restarts = 5;
  second.lastExit = "exited signal 9";
  const std::string text = table();
  EXPECT_EQ(text.substr(text.rfind("\n\n") + 2),
            "program  pid  state         memory  messages  bad  uptime  "
            "restarts  last exit\n"
            "indexer  820  running         2.0M         7    0   1m 1s  "
            "       0  -\n"
            "a\\nb       -  backoff 3.2s       -         0    1       -  "
            "       5  exited signal 9\n");
}

TEST_F(StatusReport, AlignsTheRowsUnderTheirTitles) {
  WorkerStatus& first = add(1);
  first.connections = 531;
  first.accepted = 12345;
  first.messages = 1234567;
  first.timers = 2;
  first.requestsPerSecond = 1234.5;
  first.uptime = 4000;
  first.bytesRead = 3 << 20;
  WorkerStatus& second = add(2);
  second.pid = 0;
  second.memory = 0;
  second.state = "backoff";
  second.backoff = 3.24;
  second.address = "";
  second.sendFailures = 7;
  second.exceptions = 8;
  second.protocolErrors = 9;
  second.restarts = 12;
  second.lastExit = "exit 3";
  status_.note = "the last reload failed";
  EXPECT_EQ(
      table(),
      "shop 1.4 (brigade 0.1.0), pid 812, running since 2026-11-21 07:34:14 "
      "UTC (3d 4h)\n"
      "state running, loop libev, load 0.25 0.00 0.00, run directory "
      "/run/shop\n"
      "connections 531, messages 1.2M, req/s 1235, read 3.0M, written 0, "
      "protocol errors 9\n"
      "note: the last reload failed\n"
      "\n"
      "index  name   pid  state         memory  listening            conns  "
      "accepted  messages  fails  exc  timers  req/s  uptime  restarts  last "
      "exit\n"
      "1      shout  813  ready           8.0M  text://0.0.0.0:5678    531  "
      "   12345      1.2M      0    0       2   1235   1h 6m         0  -\n"
      "2      shout    -  backoff 3.2s       -  -                        0  "
      "       0         0      7    8       0      0       -        12  exit "
      "3\n"
      "total  -        -  -               8.0M  -                      531  "
      "   12345      1.2M      7    8       2   1235       -        12  -\n");
}

TEST_F(StatusReport, SaysOfAWorkerWithoutAProcessWhyBesideItsLastExit) {
  add(1);
  WorkerStatus& second = add(2);
  second.lastExit = "exit 3";
  second.forkFailure = "cannot fork worker 2: enough";
  EXPECT_NE(table().find("\nnote: cannot fork worker 2: enough\n\nindex"),
            std::string::npos)
      << table();
  EXPECT_EQ(row("2").back(), "exit 3");
}

TEST_F(StatusReport, OfAProgramWithoutVersionAndWorkersHasOnlyTotals) {
  status_.version = "";
  const std::string text = table();
  EXPECT_TRUE(text.starts_with("shop (brigade 0.1.0), pid 812, ")) << text;
  EXPECT_EQ(text.find("note"), std::string::npos) << text;
  EXPECT_EQ(row("total").size(), 16U) << text;
}

TEST_F(StatusReport, ShowsNoLoadThatIsNotKnown) {
  status_.load[0] = -1;
  EXPECT_NE(table().find(", load -, "), std::string::npos) << table();
}

TEST_F(StatusReport, ShowsTheTwoLargestUnitsOfTime) {
  EXPECT_EQ(uptimeOf(0), "0s");
  EXPECT_EQ(uptimeOf(0.9), "0s");
  EXPECT_EQ(uptimeOf(59), "59s");
  EXPECT_EQ(uptimeOf(60), "1m 0s");
  EXPECT_EQ(uptimeOf(3599), "59m 59s");
  EXPECT_EQ(uptimeOf(3600), "1h 0m");
  EXPECT_EQ(uptimeOf(86399), "23h 59m");
  EXPECT_EQ(uptimeOf(86400 * 400.0), "400d 0h");
  EXPECT_EQ(uptimeOf(-5), "0s");
}

TEST_F(StatusReport, ShowsMemoryInUnitsOf1024) {
  EXPECT_EQ(memoryOf(0), "-");
  EXPECT_EQ(memoryOf(1023), "1023");
  EXPECT_EQ(memoryOf(1024), "1.0K");
  EXPECT_EQ(memoryOf((1 << 20) - 1), "1.0M");
  EXPECT_EQ(memoryOf(1536 << 10), "1.5M");
  EXPECT_EQ(memoryOf(3ULL << 30), "3.0G");
  EXPECT_EQ(memoryOf(3ULL << 50), "3.0P");
}

TEST_F(StatusReport, ShowsCountsExactlyUpToAMillion) {
  EXPECT_EQ(messagesOf(999'999), "999999");
  EXPECT_EQ(messagesOf(1'000'000), "1.0M");
  EXPECT_EQ(messagesOf(1'000'000'000), "1.0G");
  EXPECT_EQ(messagesOf(2'000'000'000'000), "2.0T");
}

TEST_F(StatusReport, LetsNoNameReachTheTerminalAsACommand) {
  add(1).name = "a\x1b[2J\nb";
  status_.note = "\x1b]0;x\x07";
  const std::string text = table();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("a\\x1b[2J\\nb"), std::string::npos) << text;
}

TEST_F(StatusReport, AlignsNamesThatAreNotAscii) {
  add(1).name = "größe";
  add(2).name = "plain";
  std::istringstream in(table());
  std::size_t column = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("2 ")) column = line.find("814");
  }
  // two bytes more, no column more
  EXPECT_NE(table().find("größe"), std::string::npos);
  EXPECT_EQ(column, 14U);
}

TEST_F(StatusReport, RefusesWhatIsNoStatus) {
  EXPECT_THROW(statusTable("{}"), std::runtime_error);
  EXPECT_THROW(statusTable("hello"), std::runtime_error);
  EXPECT_THROW(connectionsTable({"{}"}), std::runtime_error);
}

TEST(ConnectionsReport, HasARowForEachConnection) {
  ConnectionStatus connection;
  connection.worker = 2;
  connection.pid = 815;
  connection.name = "shout";
  connection.id = 7;
  connection.protocol = "text";
  connection.remote = "127.0.0.1:50312";
  connection.local = "127.0.0.1:5678";
  connection.state = "established";
  connection.bytesRead = 70000;
  const std::string first = toJson(connection);
  connection.remote = "[2001:db8::1]:50312";
  connection.sendQueue = 1 << 20;
  connection.state = "closing";
  EXPECT_EQ(
      connectionsTable({first, toJson(connection)}),
      "worker  pid/id  name   protocol  remote               local           "
      "state        recv-q  send-q   read  written\n"
      "     2   815/7  shout  text      127.0.0.1:50312      127.0.0.1:5678  "
      "established       0       0  68.4K        0\n"
      "     2   815/7  shout  text      [2001:db8::1]:50312  127.0.0.1:5678  "
      "closing           0    1.0M  68.4K        0\n");
}

TEST(ConnectionsReport, OfNoneHasTitlesOnly) {
  const std::string text = connectionsTable({});
  EXPECT_TRUE(text.starts_with("worker  pid/id  ")) << text;
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

}  // namespace
}  // namespace brigade::detail
