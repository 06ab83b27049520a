#include "brigade/Worker/detail/Status.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>

namespace brigade::detail {
namespace {

using Kind = AnswerLine::Kind;
using std::chrono::system_clock;

WorkerStatus busyWorker() {
  WorkerStatus worker;
  worker.index = 3;
  worker.id = 2;
  worker.name = "shout";
  worker.pid = 815;
  worker.state = "ready";
  worker.generation = 4;
  worker.memory = 8 << 20;
  worker.address = "text://0.0.0.0:5678";
  worker.connections = 10;
  worker.accepted = 20;
  worker.messages = 30;
  worker.sendFailures = 1;
  worker.exceptions = 2;
  worker.protocolErrors = 3;
  worker.timers = 5;
  worker.bytesRead = 1ULL << 40;
  worker.bytesWritten = 7;
  worker.requestsPerSecond = 12.5;
  worker.uptime = 61.25;
  worker.restarts = 6;
  worker.backoff = 0.4;
  worker.lastExit = "exit 3";
  worker.forkFailure = "cannot fork";
  return worker;
}

CommandStatus indexer() {
  CommandStatus command;
  command.name = "indexer";
  command.pid = 820;
  command.state = "running";
  command.memory = 2 << 20;
  command.messages = 7;
  command.badMessages = 1;
  command.uptime = 12.5;
  command.restarts = 3;
  command.backoff = 0.25;
  command.lastExit = "exited signal 9";
  return command;
}

ProgramStatus program() {
  ProgramStatus status;
  status.name = "shout";
  status.version = "1.2";
  status.brigadeVersion = "0.1.0";
  status.pid = 812;
  status.state = "running";
  status.event = "libev";
  status.started = system_clock::from_time_t(1795246454);
  status.uptime = 3600.5;
  status.load[0] = 0.25;
  status.load[1] = 0.5;
  status.load[2] = 1;
  status.runDirectory = "/run/shout";
  status.note = "worker 2 was not ready";
  status.workers = {busyWorker(), busyWorker()};
  status.programs = {indexer()};
  return status;
}

TEST(Status, WritesTheTimeInUtc) {
  EXPECT_EQ(toIso8601(system_clock::from_time_t(1795246454)),
            "2026-11-21T07:34:14Z");
  EXPECT_EQ(toIso8601(system_clock::time_point()), "1970-01-01T00:00:00Z");
}

TEST(Status, OfAWorkerHasTheNamesOfItsFieldsInJson) {
  ProgramStatus status;
  status.workers = {busyWorker()};
  const std::string json = toJson(status);
  EXPECT_NE(
      json.find(
          R"("workers":[{"index":3,"id":2,"name":"shout","pid":815,)"
          R"("state":"ready","generation":4,"memory":8388608,)"
          R"("address":"text://0.0.0.0:5678","connections":10,"accepted":20,)"
          R"("messages":30,"sendFailures":1,"exceptions":2,)"
          R"("protocolErrors":3,"timers":5,"bytesRead":1099511627776,)"
          R"("bytesWritten":7,"requestsPerSecond":12.5,"uptime":61.25,)"
          R"("restarts":6,"backoff":0.4,"lastExit":"exit 3",)"
          R"("forkFailure":"cannot fork"}])"),
      std::string::npos)
      << json;
}

TEST(Status, OfAProgramHasAHeadAndTotals) {
  const std::string json = toJson(program());
  const std::string head =
      R"({"name":"shout","version":"1.2","brigadeVersion":"0.1.0","pid":812,)"
      R"("state":"running","event":"libev",)"
      R"("started":"2026-11-21T07:34:14Z","uptime":3600.5,)"
      R"("load":[0.25,0.5,1.0],"runDirectory":"/run/shout",)"
      R"("note":"worker 2 was not ready","upgrades":0,)"
      R"("totals":{"connections":20,"accepted":40,"messages":60,"sendFailures":2,"exceptions":4,)"
      R"("protocolErrors":6,"bytesRead":2199023255552,"bytesWritten":14,)"
      R"("requestsPerSecond":25.0,"memory":16777216},)";
  EXPECT_EQ(json.substr(0, head.size()), head);
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST(Status, OfAProgramUnderTheMasterHasTheNamesOfItsFieldsInJson) {
  ProgramStatus status;
  status.programs = {indexer()};
  EXPECT_NE(
      toJson(status).find(R"("programs":[{"name":"indexer","pid":820,)"
                          R"("state":"running","memory":2097152,"messages":7,)"
                          R"("badMessages":1,"uptime":12.5,"restarts":3,)"
                          R"("backoff":0.25,"lastExit":"exited signal 9"}])"),
      std::string::npos)
      << toJson(status);
  status.programs[0].pid = 0;
  EXPECT_NE(toJson(status).find(R"("pid":null,"state":"running")"),
            std::string::npos);
}

TEST(Status, OfAVersionThatKnewNoProgramsIsRead) {
  EXPECT_TRUE(parseStatus(R"({"workers":[]})").programs.empty());
}

TEST(Status, SurvivesTheWayThereAndBack) {
  const std::string json = toJson(program());
  const ProgramStatus back = parseStatus(json);
  EXPECT_EQ(toJson(back), json);
  EXPECT_EQ(back.started, program().started);
  EXPECT_EQ(back.workers.at(1).lastExit, "exit 3");
}

TEST(Status, WithBytesThatAreNotUtf8IsStillJson) {
  ProgramStatus status = program();
  status.note = "\xFF\xC3";
  EXPECT_EQ(parseStatus(toJson(status)).note, "\uFFFD\uFFFD");
  ConnectionStatus connection;
  connection.remote = "unix:///tmp/\x80";
  EXPECT_EQ(parseConnection(toJson(connection)).remote, "unix:///tmp/\uFFFD");
  EXPECT_EQ(parseAnswerLine(progressLine("\xFF")).text, "\uFFFD");
  EXPECT_EQ(parseAnswerLine(resultLine(false, "\xFF")).text, "\uFFFD");
}

TEST(Status, WithARateThatIsNoNumberShowsNone) {
  ProgramStatus status = program();
  status.workers[0].requestsPerSecond = std::numeric_limits<double>::infinity();
  EXPECT_EQ(parseStatus(toJson(status)).workers[0].requestsPerSecond, 0);
}

TEST(Status, OfAnotherVersionKeepsDefaults) {
  const ProgramStatus status =
      parseStatus(R"({"name":"new","colour":7,"workers":[{"index":1}]})");
  EXPECT_EQ(status.name, "new");
  EXPECT_EQ(status.workers.at(0).index, 1U);
  EXPECT_EQ(status.workers.at(0).pid, 0);
}

TEST(Status, RefusesWhatIsNone) {
  for (const char* text :
       {"", "{", "[]", "7", "{}", R"({"workers":7,"name":[]})",
        R"({"workers":[],"load":[1]})",
        R"({"workers":[],"started":"yesterday"})"}) {
    EXPECT_THROW(parseStatus(text), std::runtime_error) << text;
  }
  for (const char* text : {"", "[]", "{}", R"({"id":"x"})"}) {
    EXPECT_THROW(parseConnection(text), std::runtime_error) << text;
  }
}

TEST(Status, OfAConnectionSurvivesTheWayThereAndBack) {
  ConnectionStatus connection;
  connection.worker = 2;
  connection.pid = 815;
  connection.name = "shout";
  connection.id = (7ULL << 32) | 9;
  connection.protocol = "text";
  connection.remote = "127.0.0.1:40000";
  connection.local = "127.0.0.1:5678";
  connection.state = "paused";
  connection.receiveQueue = 1;
  connection.sendQueue = 2;
  connection.bytesRead = 3;
  connection.bytesWritten = 4;
  const std::string json = toJson(connection);
  EXPECT_EQ(json,
            R"({"worker":2,"pid":815,"name":"shout","id":30064771081,)"
            R"("protocol":"text","remote":"127.0.0.1:40000",)"
            R"("local":"127.0.0.1:5678","state":"paused","receiveQueue":1,)"
            R"("sendQueue":2,"bytesRead":3,"bytesWritten":4})");
  EXPECT_EQ(toJson(parseConnection(json)), json);
}

TEST(AnswerLine, IsReadAsItWasWritten) {
  const AnswerLine status = parseAnswerLine(statusLine(program()));
  EXPECT_EQ(status.kind, Kind::kStatus);
  EXPECT_EQ(status.text, toJson(program()));

  const std::string json = toJson(ConnectionStatus());
  const AnswerLine connection = parseAnswerLine(connectionLine(json));
  EXPECT_EQ(connection.kind, Kind::kConnection);
  EXPECT_EQ(connection.text, json);

  const AnswerLine progress = parseAnswerLine(progressLine("a \"b\"\nc"));
  EXPECT_EQ(progress.kind, Kind::kProgress);
  EXPECT_EQ(progress.text, "a \"b\"\nc");
  EXPECT_EQ(progressLine("a\nb").find('\n'), std::string::npos);

  EXPECT_EQ(resultLine(true, "unused"), R"({"ok":true})");
  EXPECT_EQ(parseAnswerLine(resultLine(true, "")).kind, Kind::kOk);
  const AnswerLine failed = parseAnswerLine(resultLine(false, "no"));
  EXPECT_EQ(failed.kind, Kind::kFailed);
  EXPECT_EQ(failed.text, "no");
}

TEST(AnswerLine, ThatIsNoneIsUnknown) {
  for (const char* text : {"", "hello", "7", "[]", "{}", R"({"ok":"yes"})",
                           R"({"progress":7})", R"({"colour":"red"})"}) {
    EXPECT_EQ(parseAnswerLine(text).kind, Kind::kUnknown) << text;
  }
  EXPECT_EQ(parseAnswerLine(R"({"ok":false})").kind, Kind::kFailed);
}

}  // namespace
}  // namespace brigade::detail
