#pragma once

// WorkerProcess: one worker process from its fork to its exit: the loop, the
// connections, the channel to the master, and the drain.
//
//   start --onWorkerStart, ready--> serving --drain--> draining --> stopping
//                                      |                 | all closed,
//                                      +--stop-----------+ or deadline
//
// A process that leaves after an exception drains by itself: it accepts no more
// from that moment on, and tells the master to have it followed.
//
// With Worker::handover a process that is replaced comes to rest first: it
// neither accepts nor receives, and waits for the answers that it is owed. At
// the cut (Mailbox::Hooks::onSucceeded) its connections go; what stays drains.
// Its successor keeps what the master tells it from kTakeOver on until it has
// them. See Supervisor.h and Handover.h.

#include <chrono>
#include <cstdint>
#include <deque>
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
#include "brigade/Worker/detail/Handover.h"
#include "brigade/Worker/detail/LogLimit.h"
#include "brigade/Worker/detail/Recycling.h"
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
  const ChildPlace& place() const { return place_; }
  EventInterface& loop() { return *loop_; }
  ConnectionTable* table() { return table_.get(); }  // null: no listener
  TimerId addTimer(Clock::duration delay, Repeat repeat,
                   std::function<void()> callback);
  void delTimer(TimerId timer);
  void retire();
  void requestReload();
  // What the program wants done after an exception, which is logged already.
  void onUncaught(const std::string& where,
                  const std::exception_ptr& exception) noexcept;
  Mailbox& mailbox() { return mail_->mailbox(); }
  MasterTable& masterTable() { return mail_->table(); }
  unsigned group() const { return place_.group; }
  // A log line about a peer; past ten a second they are counted only.
  void logPeer(const std::string& text);

 private:
  // kLeaving: about to drain, and the master knows.
  enum class Phase : std::uint8_t { kServing, kLeaving, kDraining, kStopping };
  // What becomes of the accept queue in a drain.
  enum class Queue : std::uint8_t { kTake, kLeave };

  void start();
  void becomeWorker();
  void watchSignals();
  void openMail(Heritage heritage);
  void openTable();
  void startRecycling();
  void tellReload();

  void onFrame(const Frame& frame) override;
  void onChannelClosed() override;
  void onAccept(FileDescriptor socket, const Endpoint& remote) override;
  std::size_t room() override;
  void onAcceptPaused(int error) override;

  void acceptOwn();
  void acceptFor(unsigned slot, int socket);
  void acceptNoMoreFor(unsigned slot);
  void stopAccepting(Queue queue);
  void recycle();
  void runTimer(const std::function<void()>& callback);
  // An exception that left no callback of a connection.
  void onException(const std::string& where,
                   const std::exception_ptr& exception) noexcept;
  void leave(const std::string& reason);
  void drain(Grace grace, Queue queue = Queue::kTake);
  void afterStopTimeoutLess(std::chrono::milliseconds time,
                            std::function<void()> callback);
  void tellConnections();
  void tellDrain(TcpConnection& connection);
  void closeQuietConnections();
  void endWhenDrained();
  void stop();
  void endCoroutines();
  // WorkerProcessHandover.cc: before a successor ...
  void comeToRest(int descriptor);
  void sayWhenQuiet();
  void goOn();
  void restNoMore();
  void giveConnections();
  void onTaken(const std::vector<HandoverGiver::Item>& items);
  void onRefused(const std::vector<HandoverGiver::Item>& items);
  void adopted();
  // ... and as one.
  void takeOver(int descriptor);
  void adopt(std::vector<HandoverTaker::Item> items, std::uint32_t generation);
  void adoptOne(HandoverTaker::Item item);
  void keep(const Frame& frame);
  void handleKept();
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
  // By slot: its own and those of siblings that cannot start just now, whose
  // sockets are lent.
  std::map<unsigned, Listener> lent_;
  std::map<unsigned, Acceptor> acceptors_;
  std::unique_ptr<HandoverGiver> giver_;  // until it may be forgotten
  Clock::time_point quietBy_;
  bool isAdopted_ = false;                // what giver_ gave
  std::unique_ptr<HandoverTaker> taker_;  // null: nobody gives us connections
  struct Kept {
    FrameKind kind;
    std::string payload;
    std::uint64_t correlation;
    FileDescriptor descriptor;
  };
  std::deque<Kept> kept_;                 // from the master, while taker_ waits
  std::unique_ptr<Recycling> recycling_;  // null: off, or it is under way
  Phase phase_ = Phase::kServing;
  bool full_ = false;  // maxConnections reached
  std::unordered_set<std::uint64_t> timers_;
  // While draining: bytes moved when last looked, by connection.
  std::unordered_map<std::uint64_t, std::uint64_t> seen_;
  std::unordered_set<std::uint64_t> endByThemselves_;
  LogLimit peerLines_;
};

}  // namespace brigade::detail
