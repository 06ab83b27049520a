#pragma once

// WorkerProcess: one worker process from its fork to its exit: the loop, the
// connections, the channel to the master, and the drain.
//
//   start --onWorkerStart, ready--> serving --drain--> draining --> stopping
//                                      |                 | all closed,
//                                      +--stop-----------+ or deadline

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "brigade/Connection/Acceptor.h"
#include "brigade/Connection/ConnectionTable.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Process/WorkerMail.h"
#include "brigade/Worker/detail/LogLimit.h"
#include "brigade/Worker/detail/Service.h"
#include "brigade/Worker/detail/Status.h"

namespace brigade::detail {

class WorkerProcess final : public ChannelHandler, public AcceptorHandler {
 public:
  // In the child, as the child's only content.
  WorkerProcess(Service& service, const ChildPlace& place,
                FileDescriptor channel, Heritage heritage);
  ~WorkerProcess();

  // Until the process ends. Returns its exit status: 1 when it could not start,
  // which the master has then been told with the reason.
  int run();

  // What Worker's functions stand for.
  unsigned index() const { return place_.index; }
  unsigned id() const { return place_.slot + 1; }
  EventInterface& loop() { return *loop_; }
  ConnectionTable* table() { return table_.get(); }  // null: no listener
  TimerId addTimer(Clock::duration delay, Repeat repeat,
                   std::function<void()> callback);
  void delTimer(TimerId timer);
  void retire();
  void logException(std::string_view where, std::exception_ptr exception);
  Mailbox& mailbox() { return mail_->mailbox(); }
  unsigned group() const { return place_.group; }
  // A log line about a peer; past ten a second they are counted only.
  void logPeer(const std::string& text);

 private:
  enum class Phase : std::uint8_t { kServing, kDraining, kStopping };

  void start();
  void becomeWorker();
  void watchSignals();
  void openMail(Heritage heritage);
  void openTable();
  void tellReload();

  void onFrame(const Frame& frame) override;
  void onChannelClosed() override;
  void onAccept(FileDescriptor socket, const Endpoint& remote) override;
  std::size_t room() override;
  void onAcceptPaused(int error) override;

  void acceptFor(unsigned slot);
  void drain(Grace grace);
  void afterStopTimeoutLess(std::chrono::milliseconds time,
                            std::function<void()> callback);
  void tellConnections();
  void closeQuietConnections();
  void endWhenDrained();
  void stop();
  void listConnections(const Frame& question);
  ConnectionStatus statusOf(const TcpConnection& connection) const;

  Service& service_;
  Worker& worker_;
  ChildPlace place_;
  Score& score_;
  std::unique_ptr<EventInterface> loop_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<WorkerMail> mail_;
  std::unique_ptr<ConnectionTable> table_;
  // By slot: its own and those of siblings that cannot start just now.
  std::map<unsigned, Acceptor> acceptors_;
  Phase phase_ = Phase::kServing;
  bool full_ = false;  // maxConnections reached
  std::unordered_set<std::uint64_t> timers_;
  // While draining: bytes moved when last looked, by connection.
  std::unordered_map<std::uint64_t, std::uint64_t> seen_;
  std::unordered_set<std::uint64_t> endByThemselves_;
  LogLimit peerLines_;
};

}  // namespace brigade::detail
