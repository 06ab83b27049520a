// What the master takes along when it becomes newer code of its program.

#include <sys/resource.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "brigade/Events/ExceptionText.h"
#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/Configuration.h"
#include "brigade/Worker/detail/Master.h"

namespace brigade::detail {
namespace {

// What tells a Worker from others, whose names may be the same.
std::map<std::string, Service*> byKey(std::deque<Service>& services) {
  std::map<std::string, Service*> all;
  for (Service& each : services) {
    std::string key = each.name;
    while (all.contains(key)) key += '+';
    all.emplace(std::move(key), &each);
  }
  return all;
}

}  // namespace

Master::Master(const std::vector<Worker*>& workers, const RunConfig& config,
               Configuration* file, Launch launch, Inheritance& inheritance)
    : config_(config),
      daemon_(nullptr),
      file_(file),
      loop_(makeEventLoop("epoll")),
      inheritance_(&inheritance),
      starting_(false),
      startedAt_(inheritance.heir().startedAt),
      started_(inheritance.heir().started) {
  const Heir& heir = inheritance.heir();
  upgrade_ = std::make_unique<Upgrade>(*loop_, std::move(launch),
                                       planOf(workers, config_), *this);
  upgrade_->setImage(heir.image);
  descriptors_ = heir.descriptors;
  note_ = heir.note;
  configTextBefore_ = heir.configText;
  prepare(workers);
  for (const auto& [key, service] : byKey(services_)) {
    service->worker->onMasterAdopt(heir.states.at(key));
    service->count = heir.counts.at(key);
  }
  makeSupervisor();
  makePrograms();
  // Signals are blocked since before execve(2): whichever image goes on has
  // them.
  watchSignals();
  ::sigprocmask(SIG_SETMASK, &heir.signals, nullptr);
  // What is taken from here on is not given back: nothing fails any more.
  carry(inheritance.archive());
  adjustListeners();
  tellWorkers();
  lendListeners();
  closeRemoved();
}

// ---- Taking along

bool Master::isQuiet(bool patiently) const {
  return supervisor_->isQuiet() && queries_.empty() && looksUnderWay_ == 0 &&
         (!patiently || router_->isSettled());
}

void Master::leave(Heir& heir) {
  heir.startedAt = startedAt_;
  heir.started = started_;
  heir.descriptors = descriptors_;
  ::sigprocmask(SIG_SETMASK, nullptr, &heir.signals);
  heir.note = note_;
  if (!heir.failure.empty()) {
    heir.configText = configTextBefore_;
  } else if (file_ != nullptr) {
    heir.configText = file_->text();
  }
  for (const auto& [key, service] : byKey(services_)) {
    heir.counts[key] = service->count;
    try {
      heir.states[key] = service->worker->onMasterUpgrade();
    } catch (...) {
      throw std::runtime_error("onMasterUpgrade: " +
                               exceptionText(std::current_exception()));
    }
  }
}

// Whoever has children or sockets of its own is asked last, but the Supervisor
// comes behind the Router, whose ports it fills.
void Master::carry(Archive& archive) {
  if (archive.isReading()) {
    pidFile_ = std::make_unique<PidFile>(archive);
    control_ = openControl(&archive);
  } else {
    archive(*pidFile_, *control_);
  }
  router_->carry(archive);
  carryServices(archive);
  programs_->carry(archive);
  archive(helpers_);
  carryReplies(archive);
}

// Workers are told apart by their names: the new code may have them in another
// order.
void Master::carryServices(Archive& archive) {
  std::vector<unsigned> groups(services_.size());
  for (const auto& [key, service] : byKey(services_)) {
    unsigned group = service->group;
    archive(group);
    groups.at(group) = service->group;
    archive(*service);
  }
  supervisor_->carry(archive, groups);
}

void Master::carryReplies(Archive& archive) {
  std::map<std::uint64_t, std::uint64_t> clients;
  for (const auto& [id, reply] : waiting_) {
    if (!reply.gone()) clients.emplace(id, reply.id());
  }
  archive(nextReply_, clients);
  if (!archive.isReading()) return;
  for (const auto& [id, client] : clients) {
    waiting_.emplace(id, control_->replyTo(client));
  }
}

// ---- Becoming newer code

void Master::askUpgrade(const std::string& who, Grace grace,
                        std::uint64_t reply) {
  if (runningStatus() == RunningStatus::kStarting) {
    log(LogLevel::kWarning, who + ": no upgrade: " + kStarting);
    return;
  }
  log(LogLevel::kInfo, who + " asks for an upgrade");
  upgrade_->ask(grace, reply);
}

void Master::answerUpgrade(Grace grace, ControlSocket::Reply reply) {
  if (runningStatus() == RunningStatus::kStarting) {
    reply.line(resultLine(false, kStarting));
    return;
  }
  const std::uint64_t id = nextReply_++;
  waiting_.emplace(id, std::move(reply));
  upgrade_->ask(grace, id);
}

// In the child that is to look whether the new code can follow.
void Master::inCheck() { ::setrlimit(RLIMIT_NOFILE, &descriptors_); }

void Master::replaceAll(Grace grace) {
  supervisor_->reload(grace, [this](bool ok, std::string_view reason) {
    upgrade_->replaced(ok, std::string(reason));
  });
}

// The code that has failed may have had another number of processes.
void Master::replaceThoseOf(unsigned image) {
  const bool isSame =
      std::all_of(services_.begin(), services_.end(), [](const auto& service) {
        return service.wantedCount() == service.count;
      });
  if (isSame) {
    supervisor_->replaceThoseOf(image);
  } else {
    supervisor_->reload(Grace::kFast, {});
  }
}

void Master::onUpgraded(const std::vector<std::uint64_t>& replies) {
  note_.clear();
  log(LogLevel::kInfo, "upgraded");
  for (const std::uint64_t id : replies) {
    const auto waiting = waiting_.extract(id);
    if (!waiting.empty()) waiting.mapped().line(resultLine(true, ""));
  }
}

void Master::onUpgradeFailed(const std::vector<std::uint64_t>& replies,
                             const std::string& reason) {
  note_ = "the last upgrade failed: " + reason;
  log(LogLevel::kError, "upgrade failed: " + reason);
  for (const std::uint64_t id : replies) {
    const auto waiting = waiting_.extract(id);
    if (!waiting.empty()) waiting.mapped().line(resultLine(false, reason));
  }
}

}  // namespace brigade::detail
