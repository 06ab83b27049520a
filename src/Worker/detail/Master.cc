#include "brigade/Worker/detail/Master.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/ProcessTitle.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Commands.h"
#include "brigade/Worker/detail/Daemon.h"
#include "brigade/Worker/detail/LogFile.h"
#include "brigade/Worker/detail/RunDirectory.h"
#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// While `start -d` waits its caller hears so often what for: every 5 s of 30.
constexpr int kStartNews = 6;

std::string describe(const SlotView& slot) {
  return "worker " + std::to_string(slot.index);
}

// Why it does not serve, as far as that is known.
const std::string& troubleOf(const SlotView& slot) {
  return slot.forkFailure.empty() ? slot.lastExit : slot.forkFailure;
}

}  // namespace

Master::Master(const std::vector<Worker*>& workers, const RunConfig& config,
               Configuration* file, Launch launch, Daemon* daemon)
    : config_(config),
      daemon_(daemon),
      file_(file),
      loop_(makeEventLoop("epoll")),
      startedAt_(std::chrono::system_clock::now()),
      started_(Clock::now()) {
  upgrade_ = std::make_unique<Upgrade>(*loop_, std::move(launch),
                                       planOf(workers, config_), *this);
  ::getrlimit(RLIMIT_NOFILE, &descriptors_);
  raiseDescriptorLimit();
  // From here on a signal waits for the loop: it must not leave files behind.
  watchSignals();
  makeRunDirectory(config_.runDirectory);
  pidFile_ = std::make_unique<PidFile>(config_.pidFile);
  prepare(workers);
  try {
    for (Service& service : services_) service.listen();
    control_ = openControl(nullptr);
    for (Service& service : services_) service.makeScores(service.count);
    makeSupervisor();
    makePrograms();
  } catch (...) {
    for (Service& service : services_) {
      for (Listener& listener : service.listeners) listener.removeFile();
    }
    throw;
  }
}

Master::~Master() {
  router_->mailbox().forget();
  for (Service& service : services_) {
    service.worker->messenger_ = nullptr;
    service.worker->state_ = nullptr;
  }
  for (Service& service : services_) {
    for (Listener& listener : service.listeners) listener.removeFile();
  }
}

void Master::prepare(const std::vector<Worker*>& workers) {
  loop_->setExceptionHandler([](const std::exception_ptr& exception) {
    log(LogLevel::kError,
        "exception in the master: " + exceptionReport(exception));
  });
  const std::filesystem::path logFile = config_.logFile;
  openLog(config_.logFile, config_.logLevel,
          logFile.parent_path() == config_.runDirectory ? Links::kRefuse
                                                        : Links::kFollow);
  setLogName("master");
  if (config_.daemonize) printByLine();
  setProcessTitle("brigade: " + config_.name + " master");
  startWorkers(workers);
  makeServices(workers);
  for (Service& service : services_) service.prepare();
}

std::unique_ptr<ControlSocket> Master::openControl(Archive* inherited) {
  auto handler = [this](std::string_view request, ControlSocket::Reply reply) {
    onRequest(request, std::move(reply));
  };
  if (inherited != nullptr) {
    return std::make_unique<ControlSocket>(*loop_, *inherited,
                                           std::move(handler));
  }
  return std::make_unique<ControlSocket>(*loop_, controlSocketPath(config_),
                                         std::move(handler));
}

// Four descriptors a worker process; those have the limit that was set.
void Master::raiseDescriptorLimit() {
  rlimit raised = descriptors_;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
}

void Master::startWorkers(const std::vector<Worker*>& workers) {
  Mailbox::Hooks hooks;
  hooks.onException = [](std::string_view where,
                         const std::exception_ptr& exception) {
    log(LogLevel::kError, "exception in " + std::string(where) + ": " +
                              exceptionReport(exception));
  };
  hooks.onTrouble = [](const std::string& text) {
    log(LogLevel::kWarning, text);
  };
  router_ = std::make_unique<Router>(*loop_, std::move(hooks));
  for (Worker* worker : workers) {
    worker->messenger_ = &router_->mailbox();
    worker->state_ = &router_->state();
  }
  for (Worker* worker : workers) worker->onMasterStart();
}

void Master::makeServices(const std::vector<Worker*>& workers) {
  for (Worker* worker : workers) {
    services_.emplace_back(*worker, config_.name, config_.event, file_);
    services_.back().stopTimeout = config_.stopTimeout;
    services_.back().runDirectory = config_.runDirectory;
    services_.back().claimed = &claimed_;
  }
}

void Master::makeSupervisor() {
  Supervisor::Options options;
  options.stopTimeout = config_.stopTimeout;
  options.readyTimeout = config_.readyTimeout;
  options.backoff = config_.backoff;
  options.image = upgrade_->image();
  supervisor_ = std::make_unique<Supervisor>(*loop_, *this, options);
  for (Service& service : services_) {
    ProcessGroup group;
    group.count = service.count;
    group.restart = service.worker->restart;
    group.reloadable = service.worker->reloadable &&
                       group.restart == RestartPolicy::kKeepalive;
    group.handover = service.worker->handover;
    group.main = [this, &service](const ChildPlace& place,
                                  FileDescriptor channel) {
      return runWorkerProcess(service, place, std::move(channel));
    };
    service.group = supervisor_->addGroup(std::move(group));
  }
  tellWorkers();
}

int Master::runWorkerProcess(Service& service, const ChildPlace& place,
                             FileDescriptor channel) {
  for (Service& other : services_) {
    other.closeMemoryInChild();
    if (&other == &service) continue;
    other.listeners.clear();
    other.worker->messenger_ = nullptr;
    other.worker->state_ = nullptr;
  }
  return WorkerProcess(service, place, std::move(channel), router_->heritage())
      .run();
}

void Master::watchSignals() {
  ::signal(SIGPIPE, SIG_IGN);
  // Inherited as ignored, it would have the kernel reap our children.
  ::signal(SIGCHLD, SIG_DFL);
  loop_->add(Signal{SIGTERM}, [this] { stop(Grace::kFast); });
  loop_->add(Signal{SIGINT}, [this] { stop(Grace::kFast); });
  loop_->add(Signal{SIGQUIT}, [this] { stop(Grace::kGraceful); });
  loop_->add(Signal{SIGHUP}, [this] { askReload("SIGHUP"); });
  loop_->add(Signal{SIGUSR2},
             [this] { askUpgrade("SIGUSR2", Grace::kFast, 0); });
  loop_->add(Signal{SIGUSR1}, [this] { reopen(); });
  if (::getpid() == 1) {
    loop_->add(Signal{SIGCHLD}, [this] { supervisor_->reapStrangers(); });
  }
}

void Master::run() {
  if (inheritance_ != nullptr) upgrade_->resume(*inheritance_);
  for (const Service& service : services_) {
    const std::string address = service.addressText();
    log(LogLevel::kInfo,
        service.name + ": " + service.countText() +
            (address.empty() ? "" : ", listening on " + address) + ", " +
            service.event);
  }
  // Not when they have come over execve(2).
  if (starting_) {
    supervisor_->start();
    programs_->start();
  }
  watchForHangs();
  if (daemon_ != nullptr) {
    loop_->add(config_.readyTimeout, Repeat::kOnce, [this] { checkStart(); });
    startNews_ =
        loop_->add(std::max(config_.readyTimeout / kStartNews, milliseconds(1)),
                   Repeat::kEvery, [this] { tellWaiting(); });
  }
  loop_->loop();
  if (!startFailure_.empty()) throw std::runtime_error(startFailure_);
}

// ---- The start

void Master::checkReady() {
  if (!starting_) return;
  const auto slots = supervisor_->slots();
  const auto isReady = [](const SlotView& slot) {
    return slot.state == SlotState::kReady || slot.state == SlotState::kExited;
  };
  if (std::all_of(slots.begin(), slots.end(), isReady)) startDone();
}

void Master::startDone() {
  if (!starting_) return;
  starting_ = false;
  loop_->del(startNews_);
  log(LogLevel::kInfo, "ready");
  if (daemon_ != nullptr) daemon_->ready();
}

void Master::startFailed(const std::string& reason) {
  if (!starting_) return;
  starting_ = false;
  loop_->del(startNews_);
  startFailure_ = reason;
  stop(Grace::kFast);
}

void Master::tellWaiting() {
  std::string text;
  for (const SlotView& slot : supervisor_->slots()) {
    if (slot.state == SlotState::kReady) continue;
    text += (text.empty() ? "" : ", ") + describe(slot);
    const std::string& why = troubleOf(slot);
    if (!why.empty()) text += " (" + why + ")";
  }
  if (text.empty()) return;
  daemon_->progress(config_.name + ": still waiting for " + text);
}

// A daemon's caller is kept no longer: what serves by now decides.
void Master::checkStart() {
  if (!starting_) return;
  const auto slots = supervisor_->slots();
  const bool some = std::any_of(slots.begin(), slots.end(), [](auto& slot) {
    return slot.state == SlotState::kReady;
  });
  if (some) {
    startDone();
  } else {
    startFailed("no worker process is ready after " +
                std::to_string(config_.readyTimeout.count()) + " ms" +
                (slots.empty() || troubleOf(slots[0]).empty()
                     ? std::string()
                     : "; worker 1: " + troubleOf(slots[0])));
  }
}

// ---- From the supervisor

void Master::onReady(const SlotView& slot) {
  log(LogLevel::kInfo,
      describe(slot) + ", pid " + std::to_string(slot.pid) + ": ready");
  progress(describe(slot) + " ready");
  router_->onReady(slot.pid);
  lendListeners();
  failures_.erase(slot.index);
  checkReady();
}

void Master::onFailed(const SlotView& slot, std::string_view reason) {
  const std::string text =
      describe(slot) + " cannot start: " + std::string(reason);
  log(LogLevel::kError, text);
  noteFailure(slot, text);
  lendListeners();
}

// A start that every process has failed of is none.
void Master::noteFailure(const SlotView& slot, const std::string& text) {
  if (!starting_) return;
  failures_.try_emplace(slot.index, text);
  if (failures_.size() == supervisor_->slots().size()) {
    startFailed(failures_.begin()->second);
  }
}

void Master::onExit(const SlotView& slot, pid_t pid, ExitStatus status,
                    bool expected) {
  std::string text = describe(slot) + ", pid " + std::to_string(pid) + ": " +
                     status.toString();
  if (!expected && slot.state == SlotState::kBackoff) {
    const auto wait = std::chrono::ceil<milliseconds>(slot.backoff);
    text += wait.count() == 0 ? "; starting its successor at once"
                              : "; starting its successor in " +
                                    std::to_string(wait.count()) + " ms";
  } else if (slot.state == SlotState::kFailed) {
    text += "; it died too often: none follows";
  }
  const bool killed = status.signal == SIGKILL;
  log(expected && !killed ? LogLevel::kInfo : LogLevel::kWarning, text);
  progress(text);
  router_->onExit(pid, status.toString());
  lendListeners();
  closeRemoved();
  if (status.cause == ExitCause::kNotStarted) {
    noteFailure(slot, describe(slot) + ": " + status.toString());
  }
  checkReady();
  std::vector<std::uint64_t> queries;
  for (const auto& [id, query] : queries_) queries.push_back(id);
  for (const std::uint64_t id : queries) heardAll(id, pid);
  const Service& service = services_[slot.group];
  try {
    service.worker->onWorkerExit(slot.index, pid, status);
  } catch (...) {
    logException("onWorkerExit of " + service.name);
  }
}

void Master::onForked(const ChildPlace& place, pid_t pid, Channel& channel) {
  router_->onForked({place.index, place.generation, pid, place.group}, channel);
}

void Master::onReloadSkipped(const SlotView& slot) {
  supervisor_->send(slot.index, {frames::kReloadNotice});
}

void Master::inChild() {
  ::setrlimit(RLIMIT_NOFILE, &descriptors_);
  pidFile_->closeInChild();
  control_->closeInChild();
  if (daemon_ != nullptr) daemon_->closeInChild();
  programs_->closeInChild();
  upgrade_->closeInChild();
  try {
    applyLimits(config_.limits);
  } catch (const std::exception& e) {
    log(LogLevel::kError, e.what());
    throw;
  }
}

bool Master::ownsChild(pid_t pid) const {
  return programs_->owns(pid) || upgrade_->owns(pid);
}

// ---- Orders

void Master::stop(Grace grace) {
  if (!supervisor_->stopping()) {
    log(LogLevel::kInfo,
        grace == Grace::kFast ? "stopping" : "stopping gracefully");
  }
  Supervisor::Done done;
  if (!supervisor_->stopping()) {
    done = [this](bool, std::string_view) { onStopped(); };
  }
  const bool first = done != nullptr;
  supervisor_->stop(grace, std::move(done));
  if (first) upgrade_->cancel();
  if (first) programs_->stop([this] { onStopped(); });
}

void Master::onStopped() {
  if (--stopsLeft_ > 0) return;
  forEachWorker([](Worker& worker) { worker.onMasterStop(); });
  for (const auto& [id, reply] : std::exchange(waiting_, {})) {
    reply.line(resultLine(true, ""));
  }
  log(LogLevel::kInfo, "stopped");
  loop_->stop();
}

void Master::onReloadStarted() {
  log(LogLevel::kInfo, "reloading");
  router_->beginEpoch();
  rereadConfiguration();
  forEachWorker([](Worker& worker) { worker.onMasterReload(); });
  if (supervisor_->stopping()) return;
  resizeServices();
  watchForHangs();
}

void Master::onReloadEnded(bool ok, std::string_view reason) {
  note_ = ok ? "" : "the last reload failed: " + std::string(reason);
  log(ok ? LogLevel::kInfo : LogLevel::kError,
      ok ? "reloaded" : "reload failed: " + std::string(reason));
  steerAll();
  if (ok) programs_->reload();
}

RunningStatus Master::runningStatus() const {
  if (supervisor_->stopping()) return RunningStatus::kShutdown;
  if (supervisor_->reloading() || upgrade_->isUnderWay()) {
    return RunningStatus::kReloading;
  }
  if (!starting_) return RunningStatus::kRunning;
  const auto slots = supervisor_->slots();
  const bool all = std::all_of(slots.begin(), slots.end(), [&](auto& slot) {
    return slot.state == SlotState::kReady ||
           slot.state == SlotState::kExited || failures_.contains(slot.index);
  });
  return all ? RunningStatus::kRunning : RunningStatus::kStarting;
}

// Without anybody who waits for the answer.
void Master::askReload(const std::string& who) {
  if (upgrade_->isReplaced()) {
    askUpgrade(who, Grace::kFast, 0);
    return;
  }
  if (const std::string why = whyNoReload(); !why.empty()) {
    log(LogLevel::kWarning, who + ": no reload: " + why);
    return;
  }
  log(LogLevel::kInfo, who + " asks for a reload");
  if (const std::string warning = upgrade_->warning(); !warning.empty()) {
    log(LogLevel::kWarning, "reload: " + warning);
  }
  supervisor_->reload(Grace::kFast, [who](bool ok, std::string_view reason) {
    if (ok) return;
    log(LogLevel::kWarning, who + ": no reload: " + std::string(reason));
  });
}

void Master::reopen() {
  reopenLog();
  reopenInWorkers(frames::kReopenLog, logDescriptor(), "log");
  if (config_.daemonize) reopenOutput();
  programs_->reopenLogs();
  log(LogLevel::kInfo, "log reopened");
}

void Master::reopenOutput() {
  if (starting_) {
    // stderr is the caller's yet.
    log(LogLevel::kWarning, "still starting: stdout keeps its file");
    return;
  }
  try {
    const FileDescriptor output = openOutput(config_.stdoutFile);
    takeOutput(output.get());
    reopenInWorkers(frames::kReopenOutput, output.get(), "stdout");
  } catch (const std::system_error& error) {
    log(LogLevel::kError, "reopen: " + std::string(error.what()));
  }
}

void Master::reopenInWorkers(FrameKind kind, int descriptor,
                             const std::string& what) {
  const std::size_t told =
      supervisor_->broadcast({.kind = kind, .descriptor = descriptor});
  const std::size_t children = supervisor_->childCount();
  if (told == children) return;
  log(LogLevel::kWarning, std::to_string(children - told) +
                              " worker processes keep writing the old " + what);
}

// Inside a catch block.
void Master::logException(const std::string& where) {
  log(LogLevel::kError, "exception in " + where + ": " +
                            exceptionReport(std::current_exception()));
}

void Master::forEachWorker(const std::function<void(Worker&)>& call) {
  for (Service& service : services_) {
    try {
      call(*service.worker);
    } catch (...) {
      logException("a callback of " + service.name);
    }
  }
}

}  // namespace brigade::detail
