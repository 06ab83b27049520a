#pragma once

// Mailbox: the Messenger of one process: what its program has registered, who
// else is there, what is on its way. The Post carries what it writes; whoever
// owns it hands it what arrives.

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/FileDescriptor.h"
#include "brigade/Process/Member.h"
#include "brigade/Process/Messenger.h"
#include "brigade/Process/Payload.h"
#include "brigade/Process/detail/Envelope.h"

namespace brigade {

class Archive;

// Who is there when a process begins: of the master as it forks.
struct Roster {
  struct Entry {
    Member member;
    detail::Standing standing;
  };
  std::vector<Entry> entries;
  unsigned workers = 0;
};

class Mailbox final : public Messenger {
 public:
  struct Hooks {
    // It has left a handler of the program.
    std::function<void(std::string_view where, std::exception_ptr)> onException;
    // Worth a line in the log: an event nobody listens for, a broken payload.
    std::function<void(const std::string& text)> onTrouble;
    // In a worker: all mail that this process gets, but for answers, has come;
    // what follows goes to its successor. May be empty.
    std::function<void()> onSucceeded = {};
  };

  // All outlive the mailbox. `self` is the process it belongs to.
  Mailbox(EventInterface& loop, detail::Post& post, const Member& self,
          const Roster& roster, Hooks hooks);
  ~Mailbox() override;

  // What has arrived for this process.
  void deliver(const detail::Envelope& mail);
  // In a worker: this process is about to end, and takes nothing new.
  void drain();
  // The end: no answer is waited for, and those who would have had it are
  // destroyed, and may send; none is owed, it is for the master to say kDied.
  void forget();
  void setWorkers(unsigned workers) { workers_ = workers; }
  // This process takes over from the one before it at its index: from now on
  // nothing is sent there.
  void succeed();
  // No answer is owed to this process, nor mail of its own to itself.
  bool isQuiet() const {
    return questions_.empty() && late_.empty() && local_.empty();
  }

  // What this process has sent to itself arrives now, not at the end of the
  // turn.
  void deliverLocal();
  // Others wait for so many answers of this process.
  std::size_t owedAnswers() const { return owedAnswers_; }
  // In the master, over execve(2): who the others are and what waits for them.
  // Questions of its own end with the program that has asked them.
  void carry(Archive& archive);

  // Whether that Worker has other processes that are ready.
  bool hasOthers(unsigned group) const;
  // To the other ready processes of that Worker, for brigade itself: what
  // onPublished() is told there. Returns how many.
  std::size_t publish(unsigned group, std::string_view data);
  using OnPublished = std::function<void(std::string_view data)>;
  void onPublished(OnPublished callback) { onPublished_ = std::move(callback); }

  HandlerId on(std::string_view event, Handler handler) override;
  HandlerId once(std::string_view event, Handler handler) override;
  void off(HandlerId handler) override;
  void answer(std::string_view event, Responder responder) override;
  void setDispatcher(Dispatcher dispatcher) override;
  Result send(unsigned index, std::string_view event,
              std::string_view data) override;
  Result send(const Member& member, std::string_view event,
              std::string_view data) override;
  using Messenger::broadcast;
  std::size_t broadcast(std::string_view event, std::string_view data,
                        Audience audience) override;
  void request(unsigned index, std::string_view event, std::string_view data,
               OnAnswer onAnswer, Clock::duration patience) override;
  void request(const Member& member, std::string_view event,
               std::string_view data, OnAnswer onAnswer,
               Clock::duration patience) override;
  void consume(std::string_view event, std::string_view data, OnAnswer onAnswer,
               Delivery delivery) override;
  void runOnce(std::string_view key, std::function<void()> task,
               Scope scope) override;
  std::vector<Member> members() const override;
  unsigned workers() const override { return workers_; }
  const Member& self() const override { return self_; }
  void onOnline(OnOnline callback) override;
  void onOffline(OnOffline callback) override;
  void onRoom(OnRoom callback) override;
  const Figures& figures() const override { return figures_; }

 private:
  using Envelope = detail::Envelope;
  using Op = detail::Op;
  using Place = detail::Place;
  using Standing = detail::Standing;

  // Mail with the bytes that its views lie in.
  struct Parcel {
    Envelope mail;
    std::vector<Place> targets = {};
    std::string name = {};
    std::string data = {};
    FileDescriptor sealed = {};

    void carry(Archive& archive);
  };
  // Another process: what it is, and what of ours has not left for it.
  struct Peer {
    Member member;
    std::optional<Standing> standing = {};  // none: never heard of
    std::size_t outstanding = 0;
    bool wanted = false;              // somebody was told kFull
    std::deque<Parcel> waiting = {};  // what cannot be refused

    void carry(Archive& archive);
  };
  struct Listener {
    HandlerId id;
    bool once;
    Handler handler;
  };
  struct Event {
    std::vector<std::shared_ptr<Listener>> listeners;
    Responder responder;
  };
  // A question of ours.
  struct Question {
    OnAnswer onAnswer;
    Member asked;
    TimerId deadline{};
  };
  // Mail from this process to itself.
  struct Local {
    Op op;
    unsigned to;
    std::uint64_t correlation;
    std::string event;
    Payload data;
  };
  class Answering;

  void later(std::function<void()> call) override;

  static void check(std::string_view event, std::string_view data = {});
  static Place placeOf(const Member& member);
  bool isMaster() const { return self_.index == 0; }
  bool isSelf(unsigned index) const;
  Peer* find(const Place& place);
  Peer& peer(const Place& place);
  Peer* readyAt(unsigned index);
  static bool isReady(const Peer& peer) {
    return peer.standing == Standing::kReady;
  }

  // Out.
  static void seal(Envelope& mail, FileDescriptor& sealed);
  Result sendTo(Peer& peer, Envelope mail);
  Result sendLetter(Peer& peer, unsigned to, std::string_view event,
                    std::string_view data);
  std::size_t sendToAll(Envelope mail, const std::vector<Peer*>& peers);
  void mustSend(Peer& peer, Envelope mail);
  void toMaster(const Envelope& mail) { mustSend(peer(Place{}), mail); }
  void sendWaiting(Peer& peer);
  Result sendToSelf(Op op, unsigned to, std::uint64_t correlation,
                    std::string_view event, std::string_view data);
  void answerTo(Op question, const Place& asker, std::uint64_t correlation,
                Answer::Status status, std::string_view data);

  // Questions.
  void ask(Peer* peer, const Member& member, bool self, unsigned to,
           std::string_view event, std::string_view data, OnAnswer onAnswer,
           Clock::duration patience);
  std::uint64_t remember(OnAnswer onAnswer, const Member& asked);
  void settle(std::uint64_t correlation, const Member& from,
              Answer::Status status, const Payload& value);
  Result pose(std::uint64_t correlation, const std::function<Result()>& send);
  void callLate();
  void settleLater(OnAnswer onAnswer, const Member& from, Answer::Status status,
                   std::string_view why);

  // In.
  void handle(Op op, const Letter& letter, const Place& from,
              std::uint64_t correlation);
  bool isSentOn(Op op, const Letter& letter, const Place& from,
                std::uint64_t correlation);
  bool callListeners(const Letter& letter, std::string& failure);
  void respond(Event* event, Op op, const Letter& letter, const Place& from,
               std::uint64_t correlation);
  void onCredit(const Place& place, std::size_t bytes);
  void onMember(const Envelope& mail);
  void onSuccession(const Place& heir, std::uint32_t generation);
  void onMoved(const Envelope& mail);
  void onGone(const Place& place, std::string_view reason);
  void onLease(bool granted, std::uint64_t correlation);
  std::optional<Payload> payloadOf(const Envelope& mail);
  void unhandled(std::string_view event);
  // False: it has thrown, and the hooks know.
  template <typename Call>
  bool guarded(std::string_view where, Call call);

  Event& registered(std::string_view event);
  void forgetIfEmpty(std::string_view event);

  EventInterface& loop_;
  detail::Post& post_;
  Member self_;
  Hooks hooks_;
  unsigned workers_;
  std::map<Place, Peer> peers_;
  std::map<std::string, Event, std::less<>> events_;
  std::uint64_t nextHandler_ = 1;
  Dispatcher dispatcher_;
  std::unordered_map<std::uint64_t, Question> questions_;
  std::vector<std::function<void()>> late_;  // see later()
  std::uint64_t nextQuestion_ = 1;
  struct Lease {
    std::string key;
    std::function<void()> task;
  };
  std::unordered_map<std::uint64_t, Lease> leases_;
  std::deque<Local> local_;
  std::size_t localBytes_ = 0;
  std::vector<OnOnline> onOnline_;
  std::vector<OnOffline> onOffline_;
  std::vector<OnRoom> onRoom_;
  OnPublished onPublished_;
  std::size_t owedAnswers_ = 0;
  std::set<std::string, std::less<>> reported_;  // events without a handler
  Figures figures_;
  // For those that may outlive us.
  std::shared_ptr<Mailbox*> alive_;
};

template <typename Call>
bool Mailbox::guarded(std::string_view where, Call call) {
  try {
    call();
    return true;
  } catch (...) {
    hooks_.onException(where, std::current_exception());
    return false;
  }
}

}  // namespace brigade
