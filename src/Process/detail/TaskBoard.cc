#include "brigade/Process/detail/TaskBoard.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "brigade/Events/Archive.h"

namespace brigade::detail {

using Status = Answer::Status;

void Task::carry(Archive& archive) {
  archive(id, caller, correlation, delivery, event, data, sealed, size, worker);
}

void TaskBoard::Runner::carry(Archive& archive) {
  archive(ready, atWork, lastGiven, events);
}

void TaskBoard::carry(Archive& archive) {
  archive(runners_, waiting_, atWork_, bytes_, nextId_, given_);
}

std::size_t TaskBoard::sizeOf(const Task& task) {
  return sizeof task + task.event.size() + task.data.size();
}

bool TaskBoard::anyoneListens(std::string_view event) const {
  return std::any_of(runners_.begin(), runners_.end(), [&](const auto& each) {
    return each.second.ready && each.second.events.contains(event);
  });
}

// The one with the fewest tasks; of several the one that has had none longest.
std::map<Place, TaskBoard::Runner>::iterator TaskBoard::choose(
    std::string_view event) {
  auto best = runners_.end();
  for (auto i = runners_.begin(); i != runners_.end(); ++i) {
    const Runner& runner = i->second;
    if (!runner.ready || runner.atWork >= kMostAtWork ||
        !runner.events.contains(event)) {
      continue;
    }
    const auto rank = [](const Runner& r) {
      return std::pair(r.atWork, r.lastGiven);
    };
    if (best == runners_.end() || rank(runner) < rank(best->second)) best = i;
  }
  return best;
}

void TaskBoard::submit(Task task) {
  task.id = nextId_++;
  if (!anyoneListens(task.event)) {
    handler_.onTaskEnded(task, Status::kNoHandler, "");
    return;
  }
  if (bytes_ + sizeOf(task) > kMaxBytes) {
    handler_.onTaskEnded(task, Status::kRefused, "too many tasks wait");
    return;
  }
  bytes_ += sizeOf(task);
  if (!give(task)) waiting_.push_back(std::move(task));
}

bool TaskBoard::give(Task& task) {
  const auto runner = choose(task.event);
  if (runner == runners_.end()) return false;
  ++runner->second.atWork;
  runner->second.lastGiven = ++given_;
  task.worker = runner->first;
  Task& given = atWork_.emplace(task.id, std::move(task)).first->second;
  handler_.onTask(given, given.worker);
  if (given.delivery == Messenger::Delivery::kAtMostOnce) {
    bytes_ -= given.data.size();
    given.data.clear();
    given.data.shrink_to_fit();
    given.sealed.reset();
  }
  return true;
}

void TaskBoard::giveWaiting() {
  for (auto i = waiting_.begin(); i != waiting_.end();) {
    i = give(*i) ? waiting_.erase(i) : std::next(i);
  }
}

const Task* TaskBoard::find(const Place& worker, std::uint64_t id) const {
  const auto found = atWork_.find(id);
  if (found == atWork_.end() || found->second.worker != worker) return nullptr;
  return &found->second;
}

void TaskBoard::done(std::uint64_t id) {
  const auto task = atWork_.extract(id);
  if (task.empty()) return;
  bytes_ -= sizeOf(task.mapped());
  const auto runner = runners_.find(task.mapped().worker);
  if (runner != runners_.end()) --runner->second.atWork;
  giveWaiting();
}

void TaskBoard::workerReady(const Place& worker) {
  runners_[worker].ready = true;
  giveWaiting();
}

void TaskBoard::workerDraining(const Place& worker) {
  const auto runner = runners_.find(worker);
  if (runner != runners_.end()) runner->second.ready = false;
}

void TaskBoard::workerGone(const Place& worker, std::string_view why) {
  runners_.erase(worker);
  std::vector<std::uint64_t> lost;
  for (const auto& [id, task] : atWork_) {
    if (task.worker == worker) lost.push_back(id);
  }
  // The eldest is to be the first again.
  for (auto id = lost.rbegin(); id != lost.rend(); ++id) {
    auto node = atWork_.extract(*id);
    Task task = std::move(node.mapped());
    if (task.delivery == Messenger::Delivery::kAtLeastOnce) {
      task.worker = {};
      waiting_.push_front(std::move(task));
    } else {
      bytes_ -= sizeOf(task);
      handler_.onTaskEnded(task, Status::kDied, why);
    }
  }
  giveWaiting();
}

void TaskBoard::listens(const Place& worker, std::string_view event) {
  runners_[worker].events.emplace(event);
  giveWaiting();
}

void TaskBoard::ignores(const Place& worker, std::string_view event) {
  const auto runner = runners_.find(worker);
  if (runner == runners_.end()) return;
  const auto found = runner->second.events.find(event);
  if (found != runner->second.events.end()) runner->second.events.erase(found);
}

}  // namespace brigade::detail
