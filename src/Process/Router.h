#pragma once

// Router: carries the mail of all processes, in the master. Every process has a
// port: its channel and what waits for it. Mail goes from port to port in the
// order it came; what came in one turn of the loop leaves at its end, together.
//
// Nothing is dropped between two living processes and nothing waits without a
// bound: each sender may have Messenger::kWindow bytes on their way to each
// other process, and hears by kCredit what has left for it. A process that
// keeps to that cannot be refused; what one sends beyond is thrown away.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "brigade/Process/Channel.h"
#include "brigade/Process/Mailbox.h"
#include "brigade/Process/Member.h"
#include "brigade/Process/StateAuthority.h"
#include "brigade/Process/WorkerMail.h"
#include "brigade/Process/detail/Envelope.h"
#include "brigade/Process/detail/LeaseTable.h"
#include "brigade/Process/detail/StateTable.h"
#include "brigade/Process/detail/TaskBoard.h"

namespace brigade {

class Archive;

class Router final : private detail::Post, private detail::TaskBoardHandler {
 public:
  // Bytes that wait for a process that goes on asking the master for things.
  static constexpr std::size_t kMostUnread = 16 * 1024 * 1024;
  // Past so many, a process hears of the shared state when it has caught up.
  static constexpr std::size_t kBehind = 256 * 1024;

  // `loop` is the master's and outlives the router.
  Router(EventInterface& loop, Mailbox::Hooks hooks);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Of the master itself.
  Mailbox& mailbox() { return mailbox_; }
  SharedState& state() { return state_; }

  // How many indexes the program has.
  void setWorkers(unsigned workers);
  // A reload has begun: what runs once a reload may run again.
  void beginEpoch() { ++epoch_; }

  // ---- What happens to a child. Its channel outlives its port.

  void onForked(const Member& member, Channel& channel);
  void onReady(pid_t pid);
  // The same, of one that takes over the connections of `before`, which drains
  // from now on. What is on its way to that one, but for answers, goes to its
  // heir, in its order.
  void onSucceeded(pid_t before, pid_t heir);
  void onDraining(pid_t pid);
  void onExit(pid_t pid, std::string_view reason);
  void onFrame(pid_t pid, const Frame& frame);
  // The child's channel has taken what waited.
  void onProgress(pid_t pid);

  // Now what else the end of this turn would bring: what the master has
  // written.
  void settleOwn();
  // Over execve(2), first of all with what this turn has brought; the children
  // are carried by the Supervisor, whose channels attach() ties to their ports.
  // False of isSettled(): questions that the master has been asked have no
  // answer yet, and would never get one.
  void carry(Archive& archive);
  void attach(pid_t pid, Channel& channel);
  bool isSettled() const { return mailbox_.owedAnswers() == 0; }

  // In a child that was just forked: what it begins with.
  Heritage heritage() const;

 private:
  using Envelope = detail::Envelope;
  using Op = detail::Op;
  using Place = detail::Place;
  using Standing = detail::Standing;

  struct Port {
    Member member;
    Place place;
    Channel* channel = nullptr;
    bool ready = false;  // has been
    bool draining = false;
    bool isTouched = false;   // has mail that this turn has brought
    bool isReported = false;  // as one that breaks the rules
    // What waits in its channel, behind the channel's n-th frame.
    struct Waiting {
      std::uint64_t frame;
      Place sender;
      Place addressed;  // this port, or one that it succeeded
      std::size_t charge;

      void carry(Archive& archive);
    };
    std::deque<Waiting> waiting = {};
    // Bytes on their way to it, by sender.
    std::map<Place, std::size_t> incoming = {};
    // Keys of the shared state that it is not told of while too much waits.
    std::set<std::string, std::less<>> stale = {};
    // Credit that it has not been told of, by whom it wrote to.
    std::map<Place, std::size_t> owed = {};

    void carry(Archive& archive);
  };
  // Mail of the master, whose mailbox is not called from inside its own calls.
  struct Own {
    Op op;
    std::uint8_t code;
    std::uint64_t correlation;
    std::string targets;
    std::string name;
    std::string data;
    FileDescriptor sealed;
    std::uint64_t size;
  };

  // detail::Post, for the master's mailbox.
  Channel::Result post(const Envelope& mail) override;
  void handleOwn();

  Port* portOf(pid_t pid);  // null: no child of ours
  Port* portAt(const Place& place);
  void route(const Place& sender, const Envelope& mail);
  void forward(const Place& sender, const Place& target, const Envelope& mail);
  void refuse(const Place& sender, const Place& target, const Envelope& mail);
  void toMaster(const Place& sender, const Envelope& mail);
  void forwardToHeir(const Place& sender, const Place& target,
                     const Envelope& mail);
  bool hasHeir(const Place& place) const;
  bool hasRoom(const Port& target, const Place& sender) const;
  void report(Port& port, std::string_view what);

  // To one process, past all windows.
  void tell(const Place& place, const Envelope& mail);
  void put(Port& port, const Envelope& mail, const Place& sender,
           std::size_t charge);
  void put(Port& port, const Envelope& mail, const Place& sender,
           const Place& addressed, std::size_t charge);
  void touch(Port& port);
  void flush();
  void settle(Port& port);
  void credit(const Place& sender, const Place& target, std::size_t charge);
  void payCredit(Port& port, const Place& target);
  void spread(const Port& port, Standing standing, std::string_view reason,
              std::uint32_t replaces = 0);
  void spreadKey(std::string_view key);
  void tellKey(Port& port, std::string_view key);
  void catchUp(Port& port);
  std::optional<detail::StateWish> wishOf(const Place& sender,
                                          const Envelope& mail);
  void changeState(const Place& sender, const Envelope& mail);
  void answerTable(const Place& sender, const Envelope& mail);

  void onTask(const detail::Task& task, const Place& worker) override;
  void onTaskEnded(const detail::Task& task, Answer::Status status,
                   std::string_view why) override;
  void takeTask(const Place& caller, const Envelope& mail);
  void endTask(const Place& worker, const Envelope& mail);

  EventInterface& loop_;
  Mailbox::Hooks hooks_;
  unsigned workers_ = 0;
  std::uint64_t epoch_ = 1;
  std::map<Place, Port> ports_;
  std::unordered_map<pid_t, Place> places_;
  // By index: the generations, from the first on, that followed one another by
  // a hand-over, so that mail for any of them is the last one's.
  struct Line {
    std::uint32_t first = 0;
    std::uint32_t last = 0;

    void carry(Archive& archive);
  };
  std::map<std::uint32_t, Line> lines_;
  std::vector<Place> touched_;
  std::deque<Own> own_;
  detail::TaskBoard tasks_;
  detail::LeaseTable leases_;
  std::string scratch_;
  Mailbox mailbox_;
  StateAuthority state_;
  StateAuthority table_;  // of MasterTable: the master's alone
};

}  // namespace brigade
