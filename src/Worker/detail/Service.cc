#include "brigade/Worker/detail/Service.h"

#include <sched.h>

#include <algorithm>
#include <stdexcept>

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

Service::Service(Worker& theWorker, const std::string& programName,
                 const std::string& programEvent)
    : worker(&theWorker),
      name(theWorker.name.empty() ? programName : theWorker.name),
      count(theWorker.count == 0 ? processors() : theWorker.count),
      event(theWorker.event.empty() ? programEvent : theWorker.event),
      identity(Identity::find(theWorker.user, theWorker.group)) {
  makeEventLoop(event);
  if (theWorker.address.empty()) return;
  if (theWorker.restart == RestartPolicy::kOnce) {
    throw std::invalid_argument("worker '" + name + "' listens on " +
                                theWorker.address + ", and so cannot run once");
  }
  address = Address::parse(theWorker.address);
  try {
    factory = theWorker.protocols_.find(address->protocol);
  } catch (const UnknownProtocol& e) {
    throw UnknownProtocol(theWorker.address + ": " + e.what());
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

void Service::listen() {
  if (!address) return;
  ListenOptions options;
  options.backlog = worker->backlog;
  options.mode = worker->socketMode;
  if (identity.changes) {
    options.owner = identity.uid;
    options.group = identity.gid;
  }
  if (worker->acceptMode == AcceptMode::kReusePort) {
    listeners = Listener::openGroup(*address, options, count);
  } else {
    listeners.push_back(Listener::open(*address, options));
  }
  if (worker->acceptMode == AcceptMode::kLocked) lock.emplace(1);
}

const Listener* Service::listener(unsigned slot) const {
  if (listeners.empty()) return nullptr;
  return &listeners[slot < listeners.size() ? slot : 0];
}

std::string Service::addressText() const {
  return listeners.empty() ? "" : listeners[0].address().toString();
}

}  // namespace brigade::detail
