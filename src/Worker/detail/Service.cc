#include "brigade/Worker/detail/Service.h"

#include <sched.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "brigade/Events/Archive.h"
#include "brigade/Worker/detail/Configuration.h"

namespace brigade::detail {
namespace {

// The processors that this process may use: fewer than the machine has under
// taskset(1) or in a container.
unsigned processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

FixedSettings::FixedSettings(const Worker& worker)
    : address(worker.address),
      name(worker.name),
      user(worker.user),
      group(worker.group),
      event(worker.event),
      acceptMode(worker.acceptMode),
      reloadable(worker.reloadable),
      backlog(worker.backlog),
      socketMode(worker.socketMode),
      tcpNoDelay(worker.tcpNoDelay),
      tcpKeepAlive(worker.tcpKeepAlive) {}

Service::Service(Worker& theWorker, const std::string& programName,
                 const std::string& programEvent, const Configuration* theFile)
    : worker(&theWorker),
      configuration(theFile),
      fixed(theWorker),
      name(theWorker.name.empty() ? programName : theWorker.name),
      count(wantedCount()),
      event(theWorker.event.empty() ? programEvent : theWorker.event),
      identity(findIdentity()) {
  useFrom(theWorker.event.empty() && configuration != nullptr
              ? configuration->placeOf("event", event)
              : placeOf("event"),
          [this] { makeLoop(); });
  if (theWorker.address.empty()) return;
  if (theWorker.restart == RestartPolicy::kOnce) {
    throw std::invalid_argument("worker '" + name + "' listens on " +
                                theWorker.address + ", and so cannot run once");
  }
  useFrom(placeOf("tcpKeepAlive"), [this] { checkKeepAlive(); });
  useFrom(placeOf("address"), [this] { findAddress(); });
}

void Service::checkKeepAlive() const {
  if (fixed.tcpKeepAlive < fixed.tcpKeepAlive.zero() ||
      fixed.tcpKeepAlive > kMaxKeepAlive) {
    throw std::invalid_argument("worker '" + name +
                                "': tcpKeepAlive is not between 0 and " +
                                std::to_string(kMaxKeepAlive.count()) + " s");
  }
}

void Service::findAddress() {
  address = Address::parse(fixed.address);
  try {
    factory = worker->protocols_.find(address->protocol);
  } catch (const UnknownProtocol& e) {
    throw UnknownProtocol("worker '" + name + "': " + fixed.address + ": " +
                          e.what());
  }
}

Identity Service::findIdentity() const {
  try {
    return Identity::find(fixed.user, fixed.group);
  } catch (const UnknownUser&) {
    // Which of the two it is.
    useFrom(placeOf("user"), [this] { Identity::find(fixed.user, ""); });
    return useFrom(placeOf("group"),
                   [this] { return Identity::find(fixed.user, fixed.group); });
  }
}

std::string Service::placeOf(const std::string& setting) const {
  return configuration == nullptr ? std::string()
                                  : configuration->placeOf(*worker, setting);
}

std::unique_ptr<EventInterface> Service::makeLoop() const {
  const auto own = worker->loops_.find(event);
  if (own == worker->loops_.end()) return makeKnownLoop();
  std::unique_ptr<EventInterface> loop = own->second();
  if (!loop) {
    throw std::invalid_argument("the factory of event loop '" + event +
                                "' makes none");
  }
  return loop;
}

std::unique_ptr<EventInterface> Service::makeKnownLoop() const {
  try {
    return makeEventLoop(event);
  } catch (const UnknownEventLoop& e) {
    std::string all = e.what();
    for (const auto& own : worker->loops_) all += ", " + own.first;
    throw UnknownEventLoop(all);
  }
}

std::string Service::claimPath(std::string_view kind) const {
  std::string file = name;
  std::replace(file.begin(), file.end(), '/', '-');
  const std::string path = runDirectory + "/" + file + "." + std::string(kind);
  if (!claimed->insert(path).second) {
    throw std::runtime_error("two Workers would keep their " +
                             std::string(kind) + " in " + path +
                             ": give each Worker a name, or name a folder");
  }
  return path;
}

std::string Service::changedSettings() const {
  const FixedSettings now(*worker);
  std::string changed;
  const auto compare = [&](const char* setting, const auto& is,
                           const auto& was) {
    if (is != was)
      changed += (changed.empty() ? "" : ", ") + std::string(setting);
  };
  compare("address", now.address, fixed.address);
  compare("name", now.name, fixed.name);
  compare("user", now.user, fixed.user);
  compare("group", now.group, fixed.group);
  compare("event", now.event, fixed.event);
  compare("acceptMode", now.acceptMode, fixed.acceptMode);
  compare("reloadable", now.reloadable, fixed.reloadable);
  compare("backlog", now.backlog, fixed.backlog);
  compare("socketMode", now.socketMode, fixed.socketMode);
  compare("tcpNoDelay", now.tcpNoDelay, fixed.tcpNoDelay);
  compare("tcpKeepAlive", now.tcpKeepAlive, fixed.tcpKeepAlive);
  return changed;
}

unsigned Service::wantedCount() const {
  return worker->count == 0 ? processors() : worker->count;
}

ListenOptions Service::listenOptions() const {
  ListenOptions options;
  options.backlog = fixed.backlog;
  options.mode = fixed.socketMode;
  options.noDelay = fixed.tcpNoDelay;
  options.keepAlive =
      std::chrono::ceil<std::chrono::seconds>(fixed.tcpKeepAlive);
  if (identity.changes) {
    options.owner = identity.uid;
    options.group = identity.gid;
  }
  return options;
}

void Service::listen() {
  if (address) useFrom(placeOf("address"), [this] { openListeners(); });
}

void Service::openListeners() {
  const ListenOptions options = listenOptions();
  if (hasSocketForEach()) {
    listeners = Listener::openGroup(*address, options, count);
    if (fixed.acceptMode == AcceptMode::kSticky) steerTo(count);
  } else {
    listeners.push_back(Listener::open(*address, options));
  }
  if (fixed.acceptMode == AcceptMode::kLocked) lock.emplace(1);
}

void Service::steerTo(unsigned processes) {
  Listener::steerGroup(listeners[0], processes,
                       fixed.acceptMode == AcceptMode::kSticky
                           ? Steering::kByAddress
                           : Steering::kRandom);
  steeredTo = processes;
}

void Service::listenMore(unsigned processes) {
  if (!hasSocketForEach() || processes <= listeners.size()) return;
  const auto more = processes - static_cast<unsigned>(listeners.size());
  for (Listener& socket :
       Listener::joinGroup(listeners[0], listenOptions(), more)) {
    listeners.push_back(std::move(socket));
  }
}

void Service::keepListenerOf(unsigned slot) {
  if (listeners.size() < 2) return;
  std::vector<Listener> own;
  own.push_back(std::move(listeners[slot]));
  listeners = std::move(own);
}

void Service::makeScores(unsigned processes) {
  while (scores.size() < processes) {
    scores.push_back(std::make_unique<SharedArray<Score>>(kScoresPerSlot));
  }
}

void Service::carry(Archive& archive) {
  auto sockets = static_cast<std::uint32_t>(listeners.size());
  auto pages = static_cast<std::uint32_t>(scores.size());
  bool isLocked = lock.has_value();
  archive(sockets, pages, isLocked, steeredTo);
  if (archive.isReading()) {
    for (std::uint32_t i = 0; i < sockets; ++i) listeners.emplace_back(archive);
    for (std::uint32_t i = 0; i < pages; ++i) {
      scores.push_back(std::make_unique<SharedArray<Score>>(
          kScoresPerSlot, archive.readDescriptor()));
    }
    if (isLocked) lock.emplace(1, archive.readDescriptor());
    return;
  }
  for (Listener& each : listeners) each.carry(archive);
  for (const auto& each : scores) archive.write(each->fd());
  if (lock) archive.write(lock->fd());
}

void Service::applyListenOptions() {
  const ListenOptions options = listenOptions();
  for (Listener& each : listeners) each.apply(options);
}

void Service::closeMemoryInChild() {
  for (const auto& each : scores) each->closeInChild();
  if (lock) lock->closeInChild();
}

const Listener* Service::listener(unsigned slot) const {
  if (listeners.empty()) return nullptr;
  return &listeners[slot < listeners.size() ? slot : 0];
}

std::string Service::countText() const {
  return std::to_string(count) + (count == 1 ? " process" : " processes");
}

std::string Service::addressText() const {
  return listeners.empty() ? "" : listeners[0].address().toString();
}

}  // namespace brigade::detail
