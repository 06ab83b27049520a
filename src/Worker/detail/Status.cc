#include "brigade/Worker/detail/Status.h"

#include <ctime>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

namespace brigade::detail {

namespace {

// Keeps the fields in the order in which they are written here.
using Json = nlohmann::ordered_json;
using std::chrono::system_clock;

std::string dump(const Json& json) {
  // Names come from programs and peers: what is not UTF-8 becomes U+FFFD.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json toObject(const WorkerStatus& worker) {
  return {{"index", worker.index},
          {"id", worker.id},
          {"name", worker.name},
          {"pid", worker.pid == 0 ? Json() : Json(worker.pid)},
          {"state", worker.state},
          {"generation", worker.generation},
          {"memory", worker.memory},
          {"address", worker.address},
          {"connections", worker.connections},
          {"accepted", worker.accepted},
          {"messages", worker.messages},
          {"sendFailures", worker.sendFailures},
          {"exceptions", worker.exceptions},
          {"protocolErrors", worker.protocolErrors},
          {"timers", worker.timers},
          {"bytesRead", worker.bytesRead},
          {"bytesWritten", worker.bytesWritten},
          {"requestsPerSecond", worker.requestsPerSecond},
          {"uptime", worker.uptime},
          {"restarts", worker.restarts},
          {"backoff", worker.backoff},
          {"lastExit", worker.lastExit},
          {"forkFailure", worker.forkFailure}};
}

Json toObject(const CommandStatus& program) {
  return {{"name", program.name},
          {"pid", program.pid == 0 ? Json() : Json(program.pid)},
          {"state", program.state},
          {"memory", program.memory},
          {"messages", program.messages},
          {"badMessages", program.badMessages},
          {"uptime", program.uptime},
          {"restarts", program.restarts},
          {"backoff", program.backoff},
          {"lastExit", program.lastExit}};
}

Json totalsObject(const ProgramStatus& status) {
  const WorkerStatus sum = totals(status);
  return {{"connections", sum.connections},
          {"accepted", sum.accepted},
          {"messages", sum.messages},
          {"sendFailures", sum.sendFailures},
          {"exceptions", sum.exceptions},
          {"protocolErrors", sum.protocolErrors},
          {"bytesRead", sum.bytesRead},
          {"bytesWritten", sum.bytesWritten},
          {"requestsPerSecond", sum.requestsPerSecond},
          {"memory", sum.memory}};
}

// A field that is missing or null (JSON has no infinity) keeps its default.
template <typename T>
void take(const Json& object, const char* field, T& value) {
  const auto found = object.find(field);
  if (found != object.end() && !found->is_null()) found->get_to(value);
}

WorkerStatus parseWorker(const Json& object) {
  WorkerStatus worker;
  take(object, "index", worker.index);
  take(object, "id", worker.id);
  take(object, "name", worker.name);
  take(object, "pid", worker.pid);
  take(object, "state", worker.state);
  take(object, "generation", worker.generation);
  take(object, "memory", worker.memory);
  take(object, "address", worker.address);
  take(object, "connections", worker.connections);
  take(object, "accepted", worker.accepted);
  take(object, "messages", worker.messages);
  take(object, "sendFailures", worker.sendFailures);
  take(object, "exceptions", worker.exceptions);
  take(object, "protocolErrors", worker.protocolErrors);
  take(object, "timers", worker.timers);
  take(object, "bytesRead", worker.bytesRead);
  take(object, "bytesWritten", worker.bytesWritten);
  take(object, "requestsPerSecond", worker.requestsPerSecond);
  take(object, "uptime", worker.uptime);
  take(object, "restarts", worker.restarts);
  take(object, "backoff", worker.backoff);
  take(object, "lastExit", worker.lastExit);
  take(object, "forkFailure", worker.forkFailure);
  return worker;
}

CommandStatus parseCommand(const Json& object) {
  CommandStatus program;
  take(object, "name", program.name);
  take(object, "pid", program.pid);
  take(object, "state", program.state);
  take(object, "memory", program.memory);
  take(object, "messages", program.messages);
  take(object, "badMessages", program.badMessages);
  take(object, "uptime", program.uptime);
  take(object, "restarts", program.restarts);
  take(object, "backoff", program.backoff);
  take(object, "lastExit", program.lastExit);
  return program;
}

void takeLoad(const Json& object, ProgramStatus& status) {
  const auto found = object.find("load");
  if (found == object.end()) return;
  for (std::size_t i = 0; i < std::size(status.load); ++i) {
    found->at(i).get_to(status.load[i]);
  }
}

void takeStart(const Json& object, ProgramStatus& status) {
  std::string text;
  take(object, "started", text);
  if (text.empty()) return;
  std::tm time = {};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time);
  if (end == nullptr || *end != '\0') {
    throw std::runtime_error("'" + text + "' is not a time");
  }
  status.started = system_clock::from_time_t(::timegm(&time));
}

ProgramStatus parseProgram(const Json& object) {
  ProgramStatus status;
  take(object, "name", status.name);
  take(object, "version", status.version);
  take(object, "brigadeVersion", status.brigadeVersion);
  take(object, "pid", status.pid);
  take(object, "state", status.state);
  take(object, "event", status.event);
  takeStart(object, status);
  take(object, "uptime", status.uptime);
  takeLoad(object, status);
  take(object, "runDirectory", status.runDirectory);
  take(object, "note", status.note);
  take(object, "upgrades", status.upgrades);
  for (const Json& worker : object.at("workers")) {
    status.workers.push_back(parseWorker(worker));
  }
  for (const Json& program : object.value("programs", Json::array())) {
    status.programs.push_back(parseCommand(program));
  }
  return status;
}

ConnectionStatus parseConnectionObject(const Json& object) {
  ConnectionStatus connection;
  take(object, "worker", connection.worker);
  take(object, "pid", connection.pid);
  take(object, "name", connection.name);
  object.at("id").get_to(connection.id);
  take(object, "protocol", connection.protocol);
  take(object, "remote", connection.remote);
  take(object, "local", connection.local);
  take(object, "state", connection.state);
  take(object, "receiveQueue", connection.receiveQueue);
  take(object, "sendQueue", connection.sendQueue);
  take(object, "bytesRead", connection.bytesRead);
  take(object, "bytesWritten", connection.bytesWritten);
  return connection;
}

}  // namespace

std::string toIso8601(system_clock::time_point time) {
  const std::time_t seconds = system_clock::to_time_t(time);
  std::tm parts = {};
  ::gmtime_r(&seconds, &parts);
  char text[sizeof "2026-11-21T07:34:14Z" + 16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

WorkerStatus totals(const ProgramStatus& status) {
  WorkerStatus sum;
  for (const WorkerStatus& worker : status.workers) {
    sum.memory += worker.memory;
    sum.connections += worker.connections;
    sum.accepted += worker.accepted;
    sum.messages += worker.messages;
    sum.sendFailures += worker.sendFailures;
    sum.exceptions += worker.exceptions;
    sum.protocolErrors += worker.protocolErrors;
    sum.timers += worker.timers;
    sum.bytesRead += worker.bytesRead;
    sum.bytesWritten += worker.bytesWritten;
    sum.requestsPerSecond += worker.requestsPerSecond;
    sum.restarts += worker.restarts;
  }
  return sum;
}

std::string toJson(const ProgramStatus& status) {
  Json workers = Json::array();
  for (const WorkerStatus& worker : status.workers) {
    workers.push_back(toObject(worker));
  }
  Json programs = Json::array();
  for (const CommandStatus& program : status.programs) {
    programs.push_back(toObject(program));
  }
  return dump({{"name", status.name},
               {"version", status.version},
               {"brigadeVersion", status.brigadeVersion},
               {"pid", status.pid},
               {"state", status.state},
               {"event", status.event},
               {"started", toIso8601(status.started)},
               {"uptime", status.uptime},
               {"load", status.load},
               {"runDirectory", status.runDirectory},
               {"note", status.note},
               {"upgrades", status.upgrades},
               {"totals", totalsObject(status)},
               {"workers", std::move(workers)},
               {"programs", std::move(programs)}});
}

std::string toJson(const ConnectionStatus& connection) {
  return dump({{"worker", connection.worker},
               {"pid", connection.pid},
               {"name", connection.name},
               {"id", connection.id},
               {"protocol", connection.protocol},
               {"remote", connection.remote},
               {"local", connection.local},
               {"state", connection.state},
               {"receiveQueue", connection.receiveQueue},
               {"sendQueue", connection.sendQueue},
               {"bytesRead", connection.bytesRead},
               {"bytesWritten", connection.bytesWritten}});
}

ProgramStatus parseStatus(std::string_view json) {
  try {
    return parseProgram(Json::parse(json));
  } catch (const std::exception& error) {
    throw std::runtime_error("not a status: " + std::string(error.what()));
  }
}

ConnectionStatus parseConnection(std::string_view json) {
  try {
    return parseConnectionObject(Json::parse(json));
  } catch (const std::exception& error) {
    throw std::runtime_error("not a connection: " + std::string(error.what()));
  }
}

std::string statusLine(const ProgramStatus& status) {
  return "{\"status\": " + toJson(status) + "}";
}

std::string connectionLine(std::string_view connectionJson) {
  return "{\"connection\": " + std::string(connectionJson) + "}";
}

std::string progressLine(std::string_view text) {
  return dump({{"progress", text}});
}

std::string resultLine(bool ok, std::string_view reason) {
  Json line = {{"ok", ok}};
  if (!ok) line["reason"] = reason;
  return dump(line);
}

AnswerLine parseAnswerLine(std::string_view line) try {
  using Kind = AnswerLine::Kind;
  const Json json = Json::parse(line);
  if (json.contains("status")) return {Kind::kStatus, dump(json["status"])};
  if (json.contains("connection")) {
    return {Kind::kConnection, dump(json["connection"])};
  }
  if (json.contains("progress")) {
    return {Kind::kProgress, json["progress"].get<std::string>()};
  }
  if (!json.contains("ok")) return {};
  if (json["ok"].get<bool>()) return {Kind::kOk, ""};
  return {Kind::kFailed, json.value("reason", "no reason given")};
} catch (const Json::exception&) {
  return {};
}

}  // namespace brigade::detail
