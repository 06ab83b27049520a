#include "brigade/Worker/detail/WorkerProcess.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/MasterDeath.h"
#include "brigade/Process/ProcessTitle.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Daemon.h"
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
// For what the channel has not taken by then.
constexpr milliseconds kLastMail{100};
// EX_SOFTWARE of sysexits(3).
constexpr int kExitAfterException = 70;
// Of what an exception says, as the reason why this process leaves.
constexpr std::size_t kLongestReason = 200;

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
                             FileDescriptor channel, Heritage heritage)
    : service_(service),
      worker_(*service.worker),
      place_(place),
      score_(service.score(place.slot, place.seat)) {
  service.keepListenerOf(place.slot);
  loop_ = service.makeLoop();
  loop_->setPulse(score_.record.pulse);
  loop_->setExceptionHandler([this](const std::exception_ptr& exception) {
    onException("a callback of the loop", exception);
  });
  channel_ = std::make_unique<Channel>(*loop_, std::move(channel), *this);
  openMail(std::move(heritage));
}

WorkerProcess::~WorkerProcess() {
  worker_.process_ = nullptr;
  worker_.messenger_ = nullptr;
  worker_.state_ = nullptr;
}

void WorkerProcess::openMail(Heritage heritage) {
  Mailbox::Hooks hooks;
  hooks.onException = [this](std::string_view where,
                             const std::exception_ptr& exception) {
    onException(std::string(where), exception);
  };
  hooks.onTrouble = [](const std::string& text) {
    log(LogLevel::kWarning, text);
  };
  hooks.onSucceeded = [this] { giveConnections(); };
  const Member self{place_.index, place_.generation, ::getpid(), place_.group};
  mail_ = std::make_unique<WorkerMail>(*loop_, *channel_, self,
                                       std::move(heritage), hooks);
  worker_.messenger_ = &mail_->mailbox();
  worker_.state_ = &mail_->state();
}

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

void WorkerProcess::acceptOwn() {
  const Listener* const listener = service_.listener(place_.slot);
  if (listener == nullptr) return;
  AcceptLock* const lock = service_.lock ? &(*service_.lock)[0] : nullptr;
  acceptors_.try_emplace(place_.slot, *loop_, *listener, *this, lock)
      .first->second.resume();
}

void WorkerProcess::acceptFor(unsigned slot, int socket) {
  if (phase_ != Phase::kServing || service_.listeners.empty()) return;
  FileDescriptor copy(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (!copy || acceptors_.contains(slot)) return;
  const Listener& listener =
      lent_.try_emplace(slot, service_.listeners[0], std::move(copy))
          .first->second;
  acceptors_.try_emplace(slot, *loop_, listener, *this, nullptr)
      .first->second.resume();
}

// The last of those that had the socket: what waits is taken.
void WorkerProcess::acceptNoMoreFor(unsigned slot) {
  const auto acceptor = acceptors_.find(slot);
  if (acceptor == acceptors_.end() || !lent_.contains(slot)) return;
  acceptor->second.acceptAll();
  acceptors_.erase(acceptor);
  lent_.erase(slot);
}

// Once its connections are there to be counted.
void WorkerProcess::startRecycling() {
  recycling_ = std::make_unique<Recycling>(
      RecyclingLimits{worker_.maxRequests, worker_.maxAccepts,
                      worker_.maxMemory},
      score_.connections);
  if (!recycling_->isOn()) recycling_.reset();
  if (!recycling_ || !table_) return;
  table_->setOnMessageMark([this] { recycle(); });
  table_->setMessageMark(recycling_->messageMark());
}

void WorkerProcess::recycle() {
  if (!recycling_ || phase_ != Phase::kServing) return;
  const std::string reason = recycling_->due(loop_->now());
  if (reason.empty()) return;
  recycling_.reset();
  if (table_) table_->setMessageMark(UINT64_MAX);
  log(LogLevel::kInfo, reason + ": asks for its successor");
  retire();
}

void WorkerProcess::start() {
  becomeWorker();
  watchSignals();
  worker_.prepareBuiltinsInProcess(*this);
  worker_.onWorkerStart();
  openTable();
  startRecycling();
  if (!place_.isHeir) acceptOwn();
  channel_->send({FrameKind::kReady});
}

int WorkerProcess::run() {
  try {
    start();
  } catch (...) {
    const std::string reason = exceptionText(std::current_exception());
    channel_->send({FrameKind::kFailed, reason});
    endCoroutines();
    channel_->finish(kLastMail);
    return 1;
  }
  loop_->loop();
  try {
    worker_.onWorkerStop();
  } catch (...) {
    onException("onWorkerStop", std::current_exception());
  }
  acceptors_.clear();
  if (table_) table_->destroyAll();
  endCoroutines();
  channel_->finish(kLastMail);
  return 0;
}

// ---- From the master

void WorkerProcess::onFrame(const Frame& frame) {
  if (taker_ && frame.kind != FrameKind::kStop) {
    keep(frame);
  } else if (frame.kind == FrameKind::kMail) {
    mail_->deliver(frame);
  } else if (frame.kind == FrameKind::kDrain) {
    const auto is = [&](const char* what) {
      return frame.payload.find(what) != std::string_view::npos;
    };
    if (is(kForReload)) tellReload();
    drain(is(kGracefully) ? Grace::kGraceful : Grace::kFast);
  } else if (frame.kind == FrameKind::kStop) {
    stop();
  } else if (frame.kind == FrameKind::kHandOver) {
    comeToRest(frame.descriptor);
  } else if (frame.kind == FrameKind::kTakeOver) {
    takeOver(frame.descriptor);
  } else if (frame.kind == FrameKind::kAdopted) {
    adopted();
  } else if (frame.kind == frames::kReopenLog) {
    takeLog(frame.descriptor);
  } else if (frame.kind == frames::kReopenOutput) {
    takeOutput(frame.descriptor);
  } else if (frame.kind == frames::kReloadNotice) {
    tellReload();
  } else if (frame.kind == frames::kAcceptFor) {
    acceptFor(static_cast<unsigned>(frame.correlation), frame.descriptor);
  } else if (frame.kind == frames::kAcceptNoMore) {
    acceptNoMoreFor(static_cast<unsigned>(frame.correlation));
  } else if (frame.kind == frames::kListConnections) {
    listConnections(frame);
  }
}

void WorkerProcess::tellReload() {
  try {
    worker_.onWorkerReload();
  } catch (...) {
    onException("onWorkerReload", std::current_exception());
  }
}

void WorkerProcess::onChannelClosed() {
  log(LogLevel::kWarning, "the master is gone: draining");
  adopted();
  drain(Grace::kFast);
  // Nobody else keeps the port: the next start needs it.
  acceptors_.clear();
  lent_.clear();
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
    onException("a new connection", std::current_exception());
  }
  if (worker_.maxAccepts > 0) recycle();
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

void WorkerProcess::drain(Grace grace, Queue queue) {
  if (phase_ > Phase::kLeaving) return;
  restNoMore();
  // Who has our connections, or is to follow, takes the queue as well.
  if (phase_ == Phase::kLeaving || giver_) queue = Queue::kLeave;
  phase_ = Phase::kDraining;
  mail_->drain();
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
  stopAccepting(queue);
  tellConnections();
  endWhenDrained();
}

void WorkerProcess::stopAccepting(Queue queue) {
  for (auto& [slot, acceptor] : acceptors_) {
    // What the kernel has accepted already is somebody's request.
    if (queue == Queue::kTake) acceptor.acceptAll();
    acceptor.pause();
    if (lent_.contains(slot)) lent_.erase(slot);
  }
  std::erase_if(acceptors_,
                [this](const auto& each) { return each.first != place_.slot; });
}

// The process may be broken, so it takes nothing new: its socket is its
// successor's. What is in flight shows no sign of it in a plain protocol, so
// connections may be quiet.
void WorkerProcess::leave(const std::string& reason) {
  phase_ = Phase::kLeaving;
  for (auto& [slot, acceptor] : acceptors_) acceptor.pause();
  channel_->send({kLeaving, reason});
  // Not inside the callback of a connection, or of an acceptor.
  loop_->defer([this] { drain(Grace::kGraceful); });
}

void WorkerProcess::afterStopTimeoutLess(milliseconds time,
                                         std::function<void()> callback) {
  loop_->add(std::max(service_.stopTimeout - time, milliseconds(0)),
             Repeat::kOnce, std::move(callback));
}

void WorkerProcess::tellConnections() {
  if (!table_) return;
  table_->forEach([this](TcpConnection& connection) { tellDrain(connection); });
}

void WorkerProcess::tellDrain(TcpConnection& connection) {
  try {
    if (worker_.onDrain(connection) == Drain::kWhenQuiet) return;
  } catch (...) {
    onException("onDrain", std::current_exception());
  }
  endByThemselves_.insert(connection.id().value());
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
  const bool isEmpty = !table_ || table_->size() + table_->lingering() == 0;
  if (isEmpty && !giver_) {
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

void WorkerProcess::requestReload() { channel_->send({frames::kAskReload}); }

// ---- Exceptions

void WorkerProcess::onException(const std::string& where,
                                const std::exception_ptr& exception) noexcept {
  score_.connections.exceptions.add();
  logPeer("exception in " + where + ": " + exceptionReport(exception));
  onUncaught(where, exception);
}

void WorkerProcess::onUncaught(const std::string& where,
                               const std::exception_ptr& exception) noexcept {
  if (phase_ != Phase::kServing) return;
  AfterException then = AfterException::kContinue;
  try {
    then = worker_.onUncaughtException(where, exception);
  } catch (...) {
    logPeer("exception in onUncaughtException: " +
            exceptionReport(std::current_exception()));
  }
  if (then == AfterException::kContinue) return;
  const std::string what = "an exception in " + where + ": " +
                           exceptionText(exception).substr(0, kLongestReason);
  if (then == AfterException::kDrain) {
    log(LogLevel::kWarning, "leaves after " + what);
    leave(what);
  } else {
    log(LogLevel::kError, "ends at once after " + what);
    std::fflush(nullptr);
    ::_exit(kExitAfterException);
  }
}

void WorkerProcess::logPeer(const std::string& text) {
  peerLines_.log(loop_->now(), LogLevel::kWarning, text);
}

}  // namespace brigade::detail
