// Connections that pass from a process to its successor, as each of the two
// sees it.

#include <fcntl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "brigade/Worker/Log.h"
#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade::detail {
namespace {

using std::chrono::milliseconds;

// How long answers that this process has asked for are waited for before it
// hands over: clients wait as long. Later ones find their connection gone.
constexpr milliseconds kRest{1000};
constexpr milliseconds kLook{1};

}  // namespace

// ---- The process that leaves

void WorkerProcess::comeToRest(int descriptor) {
  if (phase_ != Phase::kServing || !worker_.handover || !table_) {
    channel_->send({FrameKind::kQuiet});
    return;
  }
  FileDescriptor end(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  // Without it the master's patience ends, and this is a reload without.
  if (!end) return;
  giver_ = std::make_unique<HandoverGiver>(
      *loop_, std::move(end),
      HandoverGiver::Handler{[this](const auto& items) { onTaken(items); },
                             [this](const auto& items) { onRefused(items); }});
  for (auto& [slot, acceptor] : acceptors_) acceptor.pause();
  table_->hold();
  quietBy_ = loop_->now() + kRest;
  // What this turn has received is handled first.
  loop_->defer([this] { sayWhenQuiet(); });
}

void WorkerProcess::sayWhenQuiet() {
  if (!giver_ || giver_->isDone() || giver_->isGiving()) return;
  if (mail_->mailbox().isQuiet() || loop_->now() >= quietBy_) {
    channel_->send({FrameKind::kQuiet});
  } else {
    loop_->add(kLook, Repeat::kOnce, [this] { sayWhenQuiet(); });
  }
}

// There will be no hand-over.
void WorkerProcess::goOn() {
  loop_->defer([done = std::shared_ptr<HandoverGiver>(std::move(giver_))] {});
  table_->release();
  if (phase_ != Phase::kServing) return;
  for (auto& [slot, acceptor] : acceptors_) acceptor.resume();
}

// A drain has come before the cut.
void WorkerProcess::restNoMore() {
  if (!giver_ || giver_->isGiving()) return;
  log(LogLevel::kWarning, "hands nothing over: it was not at rest in time");
  goOn();
}

// The cut: the program is asked for all of them before the first one goes, so
// that what it sends meanwhile reaches whom it reached before.
void WorkerProcess::giveConnections() {
  if (!giver_ || giver_->isDone()) return;
  std::vector<HandoverGiver::Item> items;
  table_->forEach([&](TcpConnection& connection) {
    if (!ConnectionTable::canDetach(connection)) return;
    try {
      std::optional<std::string> content = worker_.saveConnection(connection);
      if (!content) return;
      items.push_back({connection.id(), std::move(*content)});
    } catch (...) {
      onException("onHandover", std::current_exception());
    }
  });
  std::erase_if(items, [this](const HandoverGiver::Item& item) {
    TcpConnection* const connection = table_->find(item.id);
    return connection == nullptr || !table_->detach(*connection);
  });
  table_->release();
  giver_->give(*table_, std::move(items));
}

void WorkerProcess::onTaken(const std::vector<HandoverGiver::Item>& items) {
  for (const HandoverGiver::Item& item : items) {
    table_->forget(item.id, [this](TcpConnection& connection) {
      worker_.forgetConnection(connection);
    });
  }
  if (!items.empty()) {
    log(LogLevel::kInfo, std::to_string(items.size()) +
                             " connections go on "
                             "in its successor");
  }
  if (isAdopted_) adopted();
}

// The successor has ended, or cannot read what we wrote.
void WorkerProcess::onRefused(const std::vector<HandoverGiver::Item>& items) {
  const bool wasGiving = giver_->isGiving();
  goOn();
  if (!wasGiving) return;
  log(LogLevel::kWarning, "its successor takes no connections: they drain");
  for (const HandoverGiver::Item& item : items) {
    TcpConnection& connection = table_->takeBack(item.id);
    if (phase_ == Phase::kDraining) tellDrain(connection);
  }
}

// Our end is told to nobody before what the successor did with them is.
void WorkerProcess::adopted() {
  isAdopted_ = true;
  if (!giver_ || !giver_->isDone()) return;
  loop_->defer([done = std::shared_ptr<HandoverGiver>(std::move(giver_))] {});
}

// ---- The process that comes

void WorkerProcess::takeOver(int descriptor) {
  if (phase_ != Phase::kServing) return;
  FileDescriptor end(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (!end || !table_) {
    adopt({}, 0);
    return;
  }
  taker_ = std::make_unique<HandoverTaker>(
      *loop_, std::move(end),
      [this](std::vector<HandoverTaker::Item> items, std::uint32_t generation) {
        adopt(std::move(items), generation);
      });
}

void WorkerProcess::adopt(std::vector<HandoverTaker::Item> items,
                          std::uint32_t generation) {
  // It is what calls us.
  loop_->defer([done = std::shared_ptr<HandoverTaker>(std::move(taker_))] {});
  // What went there would come back to us. The news of it may be on its way.
  mail_->mailbox().succeed();
  if (table_) {
    table_->beginAbove(generation);
    for (HandoverTaker::Item& item : items) adoptOne(std::move(item));
    table_->endAdopting();
  }
  channel_->send({FrameKind::kAdopted});
  if (phase_ == Phase::kServing) acceptOwn();
  handleKept();
}

void WorkerProcess::adoptOne(HandoverTaker::Item item) {
  try {
    TcpConnection& connection =
        table_->adopt(std::move(item.socket), item.connection);
    try {
      worker_.restoreConnection(connection, item.connection.content);
    } catch (...) {
      connection.destroy();
      throw;
    }
  } catch (...) {
    onException("onAdopt", std::current_exception());
  }
}

void WorkerProcess::keep(const Frame& frame) {
  kept_.push_back(
      {frame.kind, std::string(frame.payload), frame.correlation,
       FileDescriptor(frame.descriptor < 0
                          ? -1
                          : ::fcntl(frame.descriptor, F_DUPFD_CLOEXEC, 0))});
}

void WorkerProcess::handleKept() {
  while (!kept_.empty()) {
    const Kept frame = std::move(kept_.front());
    kept_.pop_front();
    onFrame(
        {frame.kind, frame.payload, frame.correlation, frame.descriptor.get()});
  }
}

}  // namespace brigade::detail
