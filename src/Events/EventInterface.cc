#include "brigade/Events/EventInterface.h"

#include "brigade/Events/EpollLoop.h"
#include "brigade/Events/LibevLoop.h"

namespace brigade {
namespace {

std::string unknown(std::string_view name) {
  std::string text = "unknown event loop '" + std::string(name) + "': have ";
  const char* separator = "";
  for (const std::string& known : eventLoopNames()) {
    text += separator + known;
    separator = ", ";
  }
  return text;
}

}  // namespace

std::unique_ptr<EventInterface> makeEventLoop(std::string_view name) {
  if (name == EpollLoop::kName) return std::make_unique<EpollLoop>();
  if (auto loop = LibevLoop::make(name)) return loop;
  throw UnknownEventLoop(unknown(name));
}

std::vector<std::string> eventLoopNames() {
  std::vector<std::string> names = LibevLoop::availableNames();
  names.insert(names.begin() + 1, std::string(EpollLoop::kName));
  return names;
}

}  // namespace brigade
