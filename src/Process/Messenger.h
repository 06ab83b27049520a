#pragma once

// Messenger: how the processes of a program talk: the workers and the master,
// every one with every other, through the master. One in each process, from
// onWorkerStart (in the master: onMasterStart) on; it belongs to that process's
// loop. Every callback runs in the loop, never from inside the call that asked
// for it.
//
// Events are named by the program; names have 1 to 255 bytes and do not begin
// with "brigade:". Data are bytes: none, any, up to kMaxData; over 64 KiB they
// travel as SealedMemory, without a copy in the master.
//
// Letters from one process to one other arrive in their order, at most once;
// its questions, and its answers to request(), have their place among them.
// What send() has taken arrives unless one of the two processes ends first.
// Nobody waits for a process that does not read: past kWindow send() says
// kFull, and onRoom() tells when there is room again.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "brigade/Events/Coroutine.h"
#include "brigade/Events/EventInterface.h"
#include "brigade/Process/Member.h"
#include "brigade/Process/Payload.h"

namespace brigade {

// What a handler is given; valid until it returns.
struct Letter {
  std::string_view event;
  std::string_view data;
  Member from;      // index 0: the master
  unsigned to = 0;  // the index that the sender wrote to
};

// What became of a question.
struct Answer {
  enum class Status : std::uint8_t {
    kOk,
    kError,      // the handler failed; the value says how
    kNoHandler,  // nobody there answers that event
    kDied,       // the process ended first; the value says how
    kTimeout,
    kRefused,  // not asked: no such worker, or too much waits for it
  };

  Member from;
  Status status = Status::kOk;
  Payload value;
};
std::string_view toString(Answer::Status status);

// The way back to whoever asked. Copies share it; when the last one goes
// without an answer, the answer is kError.
class Reply {
 public:
  // Who carries an answer; destroyed with the last Reply.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    virtual void carry(Answer::Status status, std::string_view data) = 0;
  };

  explicit Reply(std::shared_ptr<Carrier> carrier)
      : carrier_(std::move(carrier)) {}
  // The first one counts. Of no effect when the asker is gone.
  void send(std::string_view data) const {
    carrier_->carry(Answer::Status::kOk, data);
  }
  void fail(std::string_view reason) const {
    carrier_->carry(Answer::Status::kError, reason);
  }

 private:
  std::shared_ptr<Carrier> carrier_;
};

// What ring() has collected.
struct Ring {
  std::string value;
  std::vector<unsigned> contributed;  // indexes, in their order
  std::vector<unsigned> missing;      // no answer, or no process there
};

class Messenger {
 public:
  enum class Result : std::uint8_t {
    kSent,
    kFull,    // nothing was sent: too much waits for that process
    kNobody,  // no process is ready at that index
    kStale,   // that process has had its successor
  };
  enum class HandlerId : std::uint64_t {};

  using Handler = std::function<void(const Letter&)>;
  using Responder = std::function<void(const Letter&, Reply)>;
  using OnAnswer = std::function<void(const Answer&)>;
  using OnAnswers = std::function<void(const std::vector<Answer>&)>;
  using OnRing = std::function<void(const Ring&)>;

  static constexpr std::size_t kMaxData = 1024 * 1024 * 1024;
  // Bytes that may wait for one process from one other. A letter is taken
  // while fewer than that wait, and then whole.
  static constexpr std::size_t kWindow = 1024 * 1024;
  static constexpr std::chrono::seconds kPatience{5};
  // Questions of one process that wait for their answers; over it, kRefused.
  static constexpr std::size_t kMaxQuestions = 65536;

  virtual ~Messenger() = default;
  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;

  // ---- Handlers, in this process

  // Called for every letter of that event, in the order of on(). An exception
  // is reported, and the next handler runs.
  virtual HandlerId on(std::string_view event, Handler handler) = 0;
  // For the next letter only.
  virtual HandlerId once(std::string_view event, Handler handler) = 0;
  virtual void off(HandlerId handler) = 0;
  // Answers request(), map(), ring() and consume() of that event: now, or later
  // with the Reply. An exception is the answer kError. The first one that is
  // registered for an event counts.
  virtual void answer(std::string_view event, Responder responder) = 0;
  // The same with the value that it returns.
  void answerWith(std::string_view event,
                  std::function<std::string(const Letter&)> responder);

  // Where a letter goes: a dispatcher is asked about each, and each question,
  // before any handler. What it sends on comes from this process then.
  struct Route {
    enum class To : std::uint8_t { kHandlers, kNobody, kIndex, kWorkers };
    To to = To::kHandlers;
    unsigned index = 0;  // kIndex: there; 0 is the master
  };
  using Dispatcher = std::function<Route(const Letter&)>;
  virtual void setDispatcher(Dispatcher dispatcher) = 0;

  // ---- Letters

  // Any index but 1..N is the master. Throws std::invalid_argument for a name
  // that is none, std::length_error over kMaxData, std::system_error when there
  // is no memory or descriptor for what is large.
  virtual Result send(unsigned index, std::string_view event,
                      std::string_view data = {}) = 0;
  // To that process and none of its successors.
  virtual Result send(const Member& member, std::string_view event,
                      std::string_view data = {}) = 0;

  struct Audience {
    bool self = true;
    bool master = false;
    std::optional<unsigned> group = {};  // the processes of one Worker only
  };
  // To every worker that is ready. Returns how many it was sent to; one for
  // which too much waits is left out.
  virtual std::size_t broadcast(std::string_view event, std::string_view data,
                                Audience audience) = 0;
  std::size_t broadcast(std::string_view event, std::string_view data = {});

  // ---- Questions: each has its answer, by the deadline

  virtual void request(unsigned index, std::string_view event,
                       std::string_view data, OnAnswer onAnswer,
                       Clock::duration patience = kPatience) = 0;
  virtual void request(const Member& member, std::string_view event,
                       std::string_view data, OnAnswer onAnswer,
                       Clock::duration patience = kPatience) = 0;
  // Asks every worker that is ready, and calls back once, with the answers of
  // all, by index.
  void map(std::string_view event, std::string_view data, OnAnswers onAnswers,
           Clock::duration patience = kPatience);
  // One worker after the other, by index, and then the master: each is asked
  // with what the one before has answered. Who does not answer is passed over.
  void ring(std::string_view event, std::string_view data, OnRing onRing,
            Clock::duration patience = kPatience);

  enum class Delivery : std::uint8_t {
    kAtMostOnce,   // kDied when the worker that has it dies
    kAtLeastOnce,  // then another one gets it
  };
  // Exactly one of the workers that handle the event gets it: the one with the
  // fewest such tasks. Its answer is that of its responder; without one it is
  // empty, when its handlers have returned. There is no deadline.
  virtual void consume(std::string_view event, std::string_view data,
                       OnAnswer onAnswer = {},
                       Delivery delivery = Delivery::kAtMostOnce) = 0;

  // ---- The same for a coroutine: `co_await messenger().map("event")`

  auto request(unsigned index, std::string_view event,
               std::string_view data = {},
               Clock::duration patience = kPatience) {
    return awaited<Answer>([this, index, event, data, patience](OnAnswer done) {
      request(index, event, data, std::move(done), patience);
    });
  }
  auto request(const Member& member, std::string_view event,
               std::string_view data = {},
               Clock::duration patience = kPatience) {
    return awaited<Answer>(
        [this, member, event, data, patience](OnAnswer done) {
          request(member, event, data, std::move(done), patience);
        });
  }
  auto map(std::string_view event, std::string_view data = {},
           Clock::duration patience = kPatience) {
    return awaited<std::vector<Answer>>(
        [this, event, data, patience](OnAnswers done) {
          map(event, data, std::move(done), patience);
        });
  }
  auto ring(std::string_view event, std::string_view data = {},
            Clock::duration patience = kPatience) {
    return awaited<Ring>([this, event, data, patience](OnRing done) {
      ring(event, data, std::move(done), patience);
    });
  }
  // With a Delivery: without one it is the call that nobody waits for.
  auto consume(std::string_view event, std::string_view data,
               Delivery delivery) {
    return awaited<Answer>([this, event, data, delivery](OnAnswer done) {
      consume(event, data, std::move(done), delivery);
    });
  }

  // ---- What many start and one does

  enum class Scope : std::uint8_t { kServer, kReload };
  // Runs `task` in one of the processes that call this with the same key: once
  // in the life of the server, or once more after each reload. When it throws,
  // or its process dies in it, another caller's runs.
  virtual void runOnce(std::string_view key, std::function<void()> task,
                       Scope scope = Scope::kServer) = 0;

  // ---- Who is there

  // The workers that are ready, by index.
  virtual std::vector<Member> members() const = 0;
  // How many indexes the program has: N.
  virtual unsigned workers() const = 0;
  virtual const Member& self() const = 0;

  using OnOnline = std::function<void(const Member&)>;
  // A worker that was ready has ended, and why.
  using OnOffline = std::function<void(const Member&, std::string_view reason)>;
  // send() has said kFull of that index; now there is room.
  using OnRoom = std::function<void(unsigned index)>;
  virtual void onOnline(OnOnline callback) = 0;
  virtual void onOffline(OnOffline callback) = 0;
  virtual void onRoom(OnRoom callback) = 0;

  // ---- Figures

  struct Figures {
    std::uint64_t unhandled = 0;    // letters that nobody listened for
    std::uint64_t lateAnswers = 0;  // behind their deadline
    // What WebSocketWorker::publish() has not sent to one other process.
    std::uint64_t unpublished = 0;
  };
  virtual const Figures& figures() const = 0;

 protected:
  Messenger() = default;
  // Calls it behind whatever runs; never, when this process ends before.
  virtual void later(std::function<void()> call) = 0;
};

}  // namespace brigade
