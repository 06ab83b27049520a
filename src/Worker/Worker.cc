#include "brigade/Worker/Worker.h"

#include <stdexcept>
#include <utility>

#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Protocol/ProtocolInterface.h"
#include "brigade/Protocol/SavedState.h"
#include "brigade/Worker/detail/WorkerProcess.h"

namespace brigade {
namespace {

detail::WorkerProcess& require(detail::WorkerProcess* process) {
  if (process == nullptr) {
    throw std::logic_error("only in a worker process, from onWorkerStart on");
  }
  return *process;
}

}  // namespace

Worker::Worker(std::string theAddress) : address(std::move(theAddress)) {}

Worker::~Worker() = default;

void Worker::registerProtocol(std::string_view scheme,
                              ProtocolFactory factory) {
  protocols_.add(scheme, std::move(factory));
}

void Worker::registerEventLoop(std::string_view loop,
                               EventLoopFactory factory) {
  if (!factory) {
    throw std::invalid_argument("event loop '" + std::string(loop) +
                                "' has no factory");
  }
  loops_.insert_or_assign(std::string(loop), std::move(factory));
}

std::optional<std::string_view> Worker::configured(std::string_view key) const {
  const auto found = app_.find(key);
  if (found == app_.end()) return std::nullopt;
  return found->second;
}

unsigned Worker::index() const {
  return process_ == nullptr ? 0 : process_->index();
}

unsigned Worker::id() const { return process_ == nullptr ? 0 : process_->id(); }

unsigned Worker::generation() const {
  return process_ == nullptr ? 0 : process_->place().generation;
}

pid_t Worker::previousPid() const {
  return process_ == nullptr ? 0 : process_->place().previousPid;
}

unsigned Worker::processCount() const {
  return process_ == nullptr ? 0 : process_->place().count;
}

pid_t Worker::masterPid() const {
  return process_ == nullptr ? 0 : process_->place().masterPid;
}

TcpConnection* Worker::find(ConnectionId connection) {
  ConnectionTable* table = require(process_).table();
  return table == nullptr ? nullptr : table->find(connection);
}

std::size_t Worker::connectionCount() const {
  ConnectionTable* table = require(process_).table();
  return table == nullptr ? 0 : table->size();
}

Worker::Connections Worker::connections() {
  return Connections(require(process_).table());
}

TimerId Worker::addTimer(Clock::duration delay, Repeat repeat,
                         std::function<void()> callback) {
  return require(process_).addTimer(delay, repeat, std::move(callback));
}

void Worker::delTimer(TimerId timer) { require(process_).delTimer(timer); }

EventInterface& Worker::loop() { return require(process_).loop(); }

void Worker::retire() { require(process_).retire(); }

Messenger& Worker::messenger() {
  if (messenger_ == nullptr) {
    throw std::logic_error("there is a messenger from onMasterStart on");
  }
  return *messenger_;
}

SharedState& Worker::state() {
  if (state_ == nullptr) {
    throw std::logic_error("there is shared state from onMasterStart on");
  }
  return *state_;
}
void Worker::requestReload() { require(process_).requestReload(); }

void Worker::onTrouble(TcpConnection& connection, ErrorCode code,
                       std::string_view reason) {
  if (process_ == nullptr) return;
  process_->logPeer(connection.remoteAddress() + ": " +
                    std::string(toString(code)) + ": " + std::string(reason));
}

void Worker::onThrown(TcpConnection& connection,
                      const std::exception_ptr& exception) {
  if (process_ == nullptr) return;
  process_->onUncaught("a callback of " + connection.remoteAddress(),
                       exception);
}

std::optional<std::string> Worker::saveConnection(TcpConnection& connection) {
  const std::optional<std::string> codec = connection.protocol().save();
  if (!codec) return std::nullopt;
  const std::optional<std::string> own = onHandover(connection);
  if (!own) return std::nullopt;
  StateWriter state;
  state.putBytes(*codec);
  state.putBytes(*own);
  return state.take();
}

void Worker::restoreConnection(TcpConnection& connection,
                               std::string_view saved) {
  StateReader state(saved);
  connection.protocol().restore(state.getBytes());
  onAdopt(connection, state.getBytes());
}

TcpConnection& Worker::Connections::Iterator::operator*() const {
  return *table_->at(position_);
}

void Worker::Connections::Iterator::skipClosed() {
  while (table_ != nullptr && position_ < table_->places() &&
         table_->at(position_) == nullptr) {
    ++position_;
  }
}

Worker::Connections::Iterator Worker::Connections::end() const {
  return {table_, table_ == nullptr ? 0 : table_->places()};
}

std::size_t Worker::Connections::size() const {
  return table_ == nullptr ? 0 : table_->size();
}

}  // namespace brigade
