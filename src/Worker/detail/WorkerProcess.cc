#include "brigade/Worker/detail/WorkerProcess.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/MasterDeath.h"
#include "brigade/Process/ProcessTitle.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/LogFile.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// A connection on which nothing moved for so long, with nothing unfinished, is
// quiet: a drain closes it unless it is a graceful one.
constexpr milliseconds kQuiet{250};
// Before the deadline at which the master kills: time to send what is queued.
constexpr milliseconds kLastWords{500};
// And for onWorkerStop.
constexpr milliseconds kFarewell{200};

ConnectionLimits limitsOf(const Worker& worker) {
  ConnectionLimits limits;
  limits.maxSendBufferSize = worker.maxSendBufferSize;
  limits.maxPackageSize = worker.maxPackageSize;
  limits.idleTimeout = worker.idleTimeout;
  limits.packageTimeout = worker.packageTimeout;
  return limits;
}

}  // namespace

WorkerProcess::WorkerProcess(Service& service, const ChildPlace& place,
                             FileDescriptor channel)
    : service_(service),
      worker_(*service.worker),
      place_(place),
      score_(service.score(place.slot, place.generation)) {
  loop_ = makeEventLoop(service.event);
  loop_->setPulse(score_.record.pulse);
  loop_->setExceptionHandler([this](std::exception_ptr exception) {
    logException("a callback of the loop", std::move(exception));
  });
  channel_ = std::make_unique<Channel>(*loop_, std::move(channel), *this);
}

WorkerProcess::~WorkerProcess() { worker_.process_ = nullptr; }

void WorkerProcess::becomeWorker() {
  const std::string who =
      service_.name + " worker " + std::to_string(place_.index);
  setLogName(who);
  setProcessTitle("brigade: " + who);
  service_.identity.takeOn();
  followMaster(place_.masterPid,
               std::chrono::ceil<std::chrono::seconds>(service_.stopTimeout));
  score_.connections.open.set(0);
  score_.timers.set(0);
  worker_.process_ = this;
}

void WorkerProcess::watchSignals() {
  // Ctrl-C reaches the whole foreground group; the master decides for all.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);
  loop_->add(Signal{SIGTERM}, [this] { stop(); });
  loop_->add(Signal{SIGQUIT}, [this] { drain(Grace::kGraceful); });
  loop_->add(Signal{SIGUSR1}, [] { reopenLog(); });
}

void WorkerProcess::openTable() {
  const Listener* listener = service_.listener(place_.slot);
  if (listener == nullptr) return;
  table_ = std::make_unique<ConnectionTable>(
      *loop_, worker_, service_.factory, limitsOf(worker_), score_.connections);
  table_->setOnRoom([this] {
    if (!full_ || phase_ != Phase::kServing) return;
    for (auto& [slot, acceptor] : acceptors_) acceptor.resume();
  });
}

void WorkerProcess::acceptFor(unsigned slot) {
  const Listener* const listener = service_.listener(slot);
  if (listener == nullptr || phase_ != Phase::kServing) return;
  AcceptLock* const lock = service_.lock ? &(*service_.lock)[0] : nullptr;
  acceptors_.try_emplace(slot, *loop_, *listener, *this, lock)
      .first->second.resume();
}

void WorkerProcess::start() {
  becomeWorker();
  watchSignals();
  worker_.prepareBuiltinsInProcess();
  worker_.onWorkerStart();
  openTable();
  acceptFor(place_.slot);
  channel_->send({FrameKind::kReady});
}

int WorkerProcess::run() {
  try {
    start();
  } catch (...) {
    const std::string reason = exceptionText(std::current_exception());
    channel_->send({FrameKind::kFailed, reason});
    return 1;
  }
  loop_->loop();
  try {
    worker_.onWorkerStop();
  } catch (...) {
    logException("onWorkerStop", std::current_exception());
  }
  acceptors_.clear();
  if (table_) table_->destroyAll();
  return 0;
}

// ---- From the master

void WorkerProcess::onFrame(const Frame& frame) {
  if (frame.kind == FrameKind::kDrain) {
    const auto is = [&](const char* what) {
      return frame.payload.find(what) != std::string_view::npos;
    };
    if (is(kForReload)) tellReload();
    drain(is(kGracefully) ? Grace::kGraceful : Grace::kFast);
  } else if (frame.kind == FrameKind::kStop) {
    stop();
  } else if (frame.kind == frames::kReopenLog) {
    takeLog(frame.descriptor);
  } else if (frame.kind == frames::kReloadNotice) {
    tellReload();
  } else if (frame.kind == frames::kAcceptFor) {
    acceptFor(static_cast<unsigned>(frame.correlation));
  } else if (frame.kind == frames::kAcceptNoMore) {
    acceptors_.erase(static_cast<unsigned>(frame.correlation));
  } else if (frame.kind == frames::kListConnections) {
    listConnections(frame);
  }
}

void WorkerProcess::tellReload() {
  try {
    worker_.onWorkerReload();
  } catch (...) {
    logException("onWorkerReload", std::current_exception());
  }
}

void WorkerProcess::onChannelClosed() {
  log(LogLevel::kWarning, "the master is gone: draining");
  drain(Grace::kFast);
  // Nobody else keeps the port: the next start needs it.
  acceptors_.clear();
  service_.listeners.clear();
}

void WorkerProcess::listConnections(const Frame& question) {
  const std::uint64_t correlation = question.correlation;
  const std::size_t places = table_ ? table_->places() : 0;
  std::size_t place = 0;
  std::from_chars(question.payload.data(),
                  question.payload.data() + question.payload.size(), place);
  std::string lines;
  for (; place < places; ++place) {
    const TcpConnection* const connection = table_->at(place);
    if (connection == nullptr) continue;
    const std::string line = toJson(statusOf(*connection)) + "\n";
    if (lines.size() + line.size() > Channel::kMaxPayload) break;
    lines += line;
  }
  if (!lines.empty()) {
    channel_->send({frames::kConnectionLines, lines, correlation});
  }
  if (place < places) {
    const std::string next = std::to_string(place);
    channel_->send({frames::kMoreConnections, next, correlation});
  } else {
    channel_->send({frames::kConnectionsEnd, {}, correlation});
  }
}

ConnectionStatus WorkerProcess::statusOf(
    const TcpConnection& connection) const {
  ConnectionStatus status;
  status.worker = place_.index;
  status.pid = ::getpid();
  status.name = service_.name;
  status.id = connection.id().value();
  status.protocol = service_.address->protocol;
  status.remote = connection.remoteAddress();
  status.local = connection.localAddress();
  status.state = connection.status() == TcpConnection::Status::kClosing
                     ? "closing"
                 : connection.paused() ? "paused"
                                       : "established";
  status.receiveQueue = connection.receiveQueueSize();
  status.sendQueue = connection.sendQueueSize();
  status.bytesRead = connection.bytesRead();
  status.bytesWritten = connection.bytesWritten();
  return status;
}

// ---- Accepting

void WorkerProcess::onAccept(FileDescriptor socket, const Endpoint& remote) {
  try {
    table_->adopt(std::move(socket), remote);
  } catch (...) {
    score_.connections.exceptions.add();
    logException("a new connection", std::current_exception());
  }
}

std::size_t WorkerProcess::room() {
  if (worker_.maxConnections == 0) return SIZE_MAX;
  const std::size_t open = table_->size();
  full_ = open >= worker_.maxConnections;
  return full_ ? 0 : worker_.maxConnections - open;
}

void WorkerProcess::onAcceptPaused(int error) {
  log(LogLevel::kWarning,
      "accepting pauses: " + std::generic_category().message(error) +
          "; trying again every 100 ms");
}

// ---- Ending

void WorkerProcess::drain(Grace grace) {
  if (phase_ != Phase::kServing) return;
  phase_ = Phase::kDraining;
  if (grace == Grace::kFast) {
    // Behind what is ready in this turn: a request that is there is seen.
    loop_->add(kQuiet, Repeat::kEvery,
               [this] { loop_->defer([this] { closeQuietConnections(); }); });
  }
  afterStopTimeoutLess(kLastWords, [this] {
    if (!table_) return;
    table_->forEach([](TcpConnection& c) { c.close(); });
  });
  afterStopTimeoutLess(kFarewell, [this] { stop(); });
  for (auto& [slot, acceptor] : acceptors_) {
    // What the kernel has accepted already is somebody's request.
    acceptor.acceptAll();
    acceptor.pause();
  }
  tellConnections();
  endWhenDrained();
}

void WorkerProcess::afterStopTimeoutLess(milliseconds time,
                                         std::function<void()> callback) {
  loop_->add(std::max(service_.stopTimeout - time, milliseconds(0)),
             Repeat::kOnce, std::move(callback));
}

void WorkerProcess::tellConnections() {
  if (!table_) return;
  table_->forEach([this](TcpConnection& connection) {
    try {
      if (worker_.onDrain(connection) == Drain::kWhenQuiet) return;
    } catch (...) {
      logException("onDrain", std::current_exception());
    }
    endByThemselves_.insert(connection.id().value());
  });
}

void WorkerProcess::closeQuietConnections() {
  if (!table_) return;
  table_->forEach([this](TcpConnection& connection) {
    if (endByThemselves_.contains(connection.id().value())) return;
    const std::uint64_t moved =
        connection.bytesRead() + connection.bytesWritten();
    const auto [place, first] = seen_.emplace(connection.id().value(), moved);
    if (first || std::exchange(place->second, moved) != moved) return;
    if (connection.sendQueueSize() + connection.receiveQueueSize() == 0) {
      connection.close();
    }
  });
}

void WorkerProcess::endWhenDrained() {
  if (phase_ != Phase::kDraining) return;
  if (!table_ || table_->size() + table_->lingering() == 0) {
    stop();
  } else {
    loop_->add(milliseconds(10), Repeat::kOnce, [this] { endWhenDrained(); });
  }
}

void WorkerProcess::stop() {
  phase_ = Phase::kStopping;
  loop_->stop();
}

void WorkerProcess::retire() {
  if (worker_.restart == RestartPolicy::kOnce) {
    drain(Grace::kGraceful);
  } else {
    channel_->send({FrameKind::kRetire});
  }
}

// ---- Timers and log

TimerId WorkerProcess::addTimer(Clock::duration delay, Repeat repeat,
                                std::function<void()> callback) {
  if (repeat == Repeat::kEvery) {
    const TimerId timer = loop_->add(delay, repeat, std::move(callback));
    timers_.insert(static_cast<std::uint64_t>(timer));
    score_.timers.set(timers_.size());
    return timer;
  }
  auto self = std::make_shared<TimerId>();
  *self = loop_->add(delay, repeat, [this, self, run = std::move(callback)] {
    timers_.erase(static_cast<std::uint64_t>(*self));
    score_.timers.set(timers_.size());
    run();
  });
  timers_.insert(static_cast<std::uint64_t>(*self));
  score_.timers.set(timers_.size());
  return *self;
}

void WorkerProcess::delTimer(TimerId timer) {
  loop_->del(timer);
  timers_.erase(static_cast<std::uint64_t>(timer));
  score_.timers.set(timers_.size());
}

void WorkerProcess::logException(std::string_view where,
                                 std::exception_ptr exception) {
  logPeer("exception in " + std::string(where) + ": " +
          exceptionText(std::move(exception)));
}

void WorkerProcess::logPeer(const std::string& text) {
  peerLines_.log(loop_->now(), LogLevel::kWarning, text);
}

}  // namespace brigade::detail
