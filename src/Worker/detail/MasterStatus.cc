// What the master answers on its control socket.

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <utility>

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Master.h"
#include "brigade/Worker/detail/ProcessFacts.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// A loop that is awake is either at work or stuck: one more look tells.
constexpr milliseconds kSecondLook{20};
// How long a busy worker may take to list its connections.
constexpr milliseconds kListPatience{2000};

double inSeconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Master::onRequest(std::string_view request, ControlSocket::Reply reply) {
  const bool graceful = request.ends_with(" graceful");
  const Grace grace = graceful ? Grace::kGraceful : Grace::kFast;
  if (request == "status") {
    answerStatus(reply);
  } else if (request == "connections") {
    answerConnections(reply);
  } else if (request == "stop fast" || request == "stop graceful") {
    waiting_.emplace(nextReply_++, std::move(reply));
    stop(grace);
  } else if (request == "reload fast" || request == "reload graceful") {
    answerReload(grace, std::move(reply));
  } else if (request == "upgrade fast" || request == "upgrade graceful") {
    answerUpgrade(grace, std::move(reply));
  } else if (request == "reopen") {
    reopen();
    reply.line(resultLine(true, ""));
  } else if (!answerSlot(request, reply)) {
    log(LogLevel::kWarning,
        "unknown request on the control socket: " + std::string(request));
    reply.line(resultLine(false, "unknown request"));
  }
}

void Master::progress(const std::string& text) {
  for (const auto& [id, reply] : waiting_) reply.line(progressLine(text));
}

// stop-worker, start-worker and restart-worker; false: none of them.
bool Master::answerSlot(std::string_view request,
                        const ControlSocket::Reply& reply) {
  const auto space = request.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view verb = request.substr(0, space);
  const std::string_view number = request.substr(space + 1);
  unsigned index = 0;
  std::from_chars(number.data(), number.data() + number.size(), index);
  const auto done = [reply](bool ok, std::string_view reason) {
    reply.line(resultLine(ok, reason));
  };
  if (verb == "stop-worker") {
    supervisor_->stopSlot(index, done);
    lendListeners();
  } else if (verb == "start-worker") {
    supervisor_->startSlot(index, done);
  } else if (verb == "restart-worker") {
    supervisor_->restartSlot(index, done);
  } else {
    return false;
  }
  log(LogLevel::kInfo, "ordered: " + std::string(request));
  return true;
}

void Master::answerReload(Grace grace, ControlSocket::Reply reply) {
  if (upgrade_->isReplaced()) {
    reply.line(progressLine("the program's file has changed: upgrading"));
    answerUpgrade(grace, std::move(reply));
    return;
  }
  if (const std::string why = whyNoReload(); !why.empty()) {
    log(LogLevel::kWarning, "no reload: " + why);
    reply.line(resultLine(false, why));
    return;
  }
  if (const std::string warning = upgrade_->warning(); !warning.empty()) {
    log(LogLevel::kWarning, "reload: " + warning);
    reply.line(progressLine(warning));
  }
  const std::uint64_t id = nextReply_++;
  waiting_.emplace(id, std::move(reply));
  supervisor_->reload(grace, [this, id](bool ok, std::string_view reason) {
    const auto waiting = waiting_.extract(id);
    if (!waiting.empty()) waiting.mapped().line(resultLine(ok, reason));
  });
}

// ---- status

void Master::answerStatus(const ControlSocket::Reply& reply) {
  auto turns = std::make_shared<std::map<unsigned, std::uint64_t>>();
  for (const SlotView& slot : supervisor_->slots()) {
    const Pulse& pulse = scoreOf(slot).record.pulse;
    if (slot.pid == 0 || pulse.sleeping.load()) continue;
    (*turns)[slot.index] = pulse.turns.load();
  }
  auto answer = [this, reply, turns] {
    --looksUnderWay_;
    reply.line(statusLine(status(*turns)));
    reply.line(resultLine(true, ""));
  };
  ++looksUnderWay_;
  if (turns->empty()) {
    answer();
  } else {
    loop_->add(kSecondLook, Repeat::kOnce, std::move(answer));
  }
}

ProgramStatus Master::status(const std::map<unsigned, std::uint64_t>& awake) {
  ProgramStatus status;
  status.name = config_.name;
  status.version = config_.version;
  status.brigadeVersion = BRIGADE_VERSION;
  status.pid = ::getpid();
  status.event = config_.event;
  status.started = startedAt_;
  status.uptime = inSeconds(Clock::now() - started_);
  if (::getloadavg(status.load, 3) != 3) status.load[0] = -1;
  status.runDirectory = config_.runDirectory;
  status.state = toString(runningStatus());
  status.note = note_;
  status.upgrades = upgrade_->upgrades();
  for (const SlotView& slot : supervisor_->slots()) {
    status.workers.push_back(statusOf(slot, awake));
  }
  for (const ProgramView& program : programs_->views()) {
    status.programs.push_back(statusOf(program));
  }
  return status;
}

CommandStatus Master::statusOf(const ProgramView& program) {
  CommandStatus status;
  status.name = program.name;
  status.pid = program.pid;
  status.state = toString(program.state);
  status.messages = program.messages;
  status.badMessages = program.badMessages;
  status.restarts = program.restarts;
  status.backoff = inSeconds(program.backoff);
  status.lastExit = program.lastExit;
  if (program.pid == 0) return status;
  status.uptime = inSeconds(Clock::now() - program.since);
  const ProcessFacts facts = factsOf(program.pid);
  status.memory = facts.resident;
  if (facts.state == 'T') status.state = "stopped";
  return status;
}

const Score& Master::scoreOf(const SlotView& slot) const {
  return services_[slot.group].score(slot.slot, slot.seat);
}

WorkerStatus Master::statusOf(const SlotView& slot,
                              const std::map<unsigned, std::uint64_t>& awake) {
  const Service& service = services_[slot.group];
  const Score& score = scoreOf(slot);
  // Over all processes that the slot has had.
  const auto sum = [&](Counter ConnectionCounters::*counter) {
    std::uint64_t all = 0;
    for (unsigned i = 0; i < kScoresPerSlot; ++i) {
      all += (service.score(slot.slot, i).connections.*counter).get();
    }
    return all;
  };
  WorkerStatus status;
  status.index = slot.index;
  status.id = slot.slot + 1;
  status.name = service.name;
  status.pid = slot.pid;
  status.state = toString(slot.state);
  status.generation = slot.generation;
  status.address = service.addressText();
  status.accepted = sum(&ConnectionCounters::accepted);
  status.messages = sum(&ConnectionCounters::messages);
  status.sendFailures = sum(&ConnectionCounters::sendFailures);
  status.exceptions = sum(&ConnectionCounters::exceptions);
  status.protocolErrors = sum(&ConnectionCounters::protocolErrors);
  status.bytesRead = sum(&ConnectionCounters::bytesRead);
  status.bytesWritten = sum(&ConnectionCounters::bytesWritten);
  status.restarts = slot.restarts;
  status.backoff = inSeconds(slot.backoff);
  status.lastExit = slot.lastExit;
  status.forkFailure = slot.forkFailure;
  status.requestsPerSecond = rateOf(slot, status.messages);
  if (slot.pid == 0) return status;
  status.connections = score.connections.open.get();
  status.timers = score.timers.get();
  status.uptime = inSeconds(Clock::now() - slot.since);
  const ProcessFacts facts = factsOf(slot.pid);
  status.memory = facts.resident;
  const auto look = awake.find(slot.index);
  if (facts.runState() == RunState::kStopped) {
    status.state = "unresponsive";
  } else if (slot.state == SlotState::kReady && look != awake.end() &&
             look->second == score.record.pulse.turns.load()) {
    status.state = "busy";
  }
  return status;
}

// Since the previous look at this slot, or since the start of the program.
double Master::rateOf(const SlotView& slot, std::uint64_t messages) {
  const Clock::time_point now = Clock::now();
  const auto [place, first] = looks_.try_emplace(slot.index, Look{started_, 0});
  const Look previous = std::exchange(place->second, Look{now, messages});
  const double elapsed = inSeconds(now - previous.at);
  if (elapsed <= 0) return 0;
  return static_cast<double>(messages - previous.messages) / elapsed;
}

// ---- connections

void Master::answerConnections(const ControlSocket::Reply& reply) {
  const std::uint64_t id = nextQuery_++;
  ConnectionsQuery query{reply, {}, {}};
  // Those that still start have none, and those that drain may have.
  query.waiting =
      supervisor_->broadcastToReady({frames::kListConnections, "0", id});
  query.deadline = loop_->add(kListPatience, Repeat::kOnce,
                              [this, id] { finishConnections(id); });
  const bool nobody = query.waiting.empty();
  queries_.emplace(id, std::move(query));
  if (nobody) finishConnections(id);
}

void Master::onFrame(const SlotView& slot, pid_t pid, Channel& from,
                     const Frame& frame) {
  if (frame.kind == frames::kAskReload) {
    askReload("worker " + std::to_string(slot.index));
    return;
  }
  const auto query = queries_.find(frame.correlation);
  if (query == queries_.end() || !query->second.waiting.contains(pid)) return;
  if (frame.kind == frames::kConnectionLines) {
    std::string_view lines = frame.payload;
    while (!lines.empty()) {
      const auto end = lines.find('\n');
      if (end == std::string_view::npos) break;
      query->second.reply.line(connectionLine(lines.substr(0, end)));
      lines.remove_prefix(end + 1);
    }
  } else if (frame.kind == frames::kMoreConnections) {
    from.send({frames::kListConnections, frame.payload, frame.correlation});
  } else if (frame.kind == frames::kConnectionsEnd) {
    heardAll(frame.correlation, pid);
  }
}

// That process has said all it has to say, or is gone.
void Master::heardAll(std::uint64_t id, pid_t pid) {
  const auto query = queries_.find(id);
  if (query == queries_.end() || query->second.waiting.erase(pid) == 0) return;
  if (query->second.waiting.empty()) finishConnections(id);
}

void Master::finishConnections(std::uint64_t id) {
  const auto query = queries_.find(id);
  if (query == queries_.end()) return;
  loop_->del(query->second.deadline);
  const std::size_t silent = query->second.waiting.size();
  query->second.reply.line(
      silent == 0 ? resultLine(true, "")
                  : resultLine(false, std::to_string(silent) +
                                          " busy worker(s) did not answer"));
  queries_.erase(query);
}

}  // namespace brigade::detail
