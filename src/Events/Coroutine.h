#pragma once

// Coroutine: what a function returns that waits in its middle, with co_await:
// for an answer of another process (Messenger.h), a change of what all know
// (SharedState.h), or for time (Worker::sleepFor). A callback starts it:
//
//   brigade::Coroutine greet(brigade::ConnectionId id);   // of a Worker
//   greet(connection.id()).start();
//
// It runs at once, to its first wait; the callback that brings what it waits
// for goes on with it, in the same loop. There is no thread, and nothing that
// blocks. An exception that it lets out leaves the callback it runs in, and is
// treated as that callback's.
//
// While it waits, that callback owns it. It ends when it returns, throws, or
// when the callback goes uncalled: so at the latest with its process, behind
// onWorkerStop and the last onClose. Destructors run, as at any return.
//
// Over a wait it keeps its variables and its parameters, but not what those
// refer to. So: values, a ConnectionId and find() behind each wait; not a
// `const Message&`, a TcpConnection& or a view of a letter, which are gone by
// then, as is the lambda that its body belongs to, with all it has captured.

#include <coroutine>
#include <utility>

namespace brigade {

template <typename Result, typename Ask>
class Awaited;

class [[nodiscard]] Coroutine {
 public:
  class promise_type;  // the language wants this name
  using Handle = std::coroutine_handle<promise_type>;

  // A share of a coroutine: the last one to go destroys it.
  class Share {
   public:
    explicit Share(Handle coroutine) noexcept;
    Share(const Share& other) noexcept : Share(other.coroutine_) {}
    Share(Share&& other) noexcept
        : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
    Share& operator=(const Share&) = delete;
    ~Share();

    // To its next wait or its end; what it throws passes through.
    void resume() const {
      const Share running(*this);
      running.coroutine_.resume();
    }

   private:
    Handle coroutine_;
  };

  Coroutine(Coroutine&&) noexcept = default;
  Coroutine& operator=(Coroutine&&) = delete;

  // Once. One that is never started does nothing.
  void start() && { share_.resume(); }

 private:
  explicit Coroutine(Handle coroutine) noexcept : share_(coroutine) {}

  Share share_;
};

// The compiler's side of it.
class Coroutine::promise_type {
 public:
  Coroutine get_return_object() noexcept {
    return Coroutine(Handle::from_promise(*this));
  }
  // Not at once: who calls must own it before it can throw.
  std::suspend_always initial_suspend() const noexcept { return {}; }
  // A share destroys it.
  std::suspend_always final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  // Out of resume().
  [[noreturn]] void unhandled_exception() const { throw; }
  // Only what owns a coroutine that waits. And only where it is made: it may
  // hold views of its arguments.
  template <typename Result, typename Ask>
  Awaited<Result, Ask>&& await_transform(
      Awaited<Result, Ask>&& awaited) const noexcept {
    return std::move(awaited);
  }

 private:
  friend class Share;
  unsigned shares_ = 0;
};

inline Coroutine::Share::Share(Handle coroutine) noexcept
    : coroutine_(coroutine) {
  ++coroutine_.promise().shares_;
}

inline Coroutine::Share::~Share() {
  if (coroutine_ && --coroutine_.promise().shares_ == 0) coroutine_.destroy();
}

// What stands behind co_await: see awaited().
template <typename Result, typename Ask>
class [[nodiscard]] Awaited {
 public:
  explicit Awaited(Ask ask) : ask_(std::move(ask)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(Coroutine::Handle waiting) {
    ask_([this, share = Coroutine::Share(waiting)](auto&&... values) {
      result_ = Result{std::forward<decltype(values)>(values)...};
      share.resume();
    });
  }
  Result await_resume() { return std::move(result_); }

 private:
  Ask ask_;
  Result result_{};
};

// What there is to say of time that has passed.
struct Elapsed {};

// For other functions that take a callback, in a coroutine:
//
//   const Row row = co_await brigade::awaited<Row>(
//       [&](auto done) { database.find(key, std::move(done)); });
//
// `ask` is called once, and hands `done` on as the callback, which is copied
// as one likes and called once or never, in the loop, but never from inside
// `ask`. What `ask` throws is thrown by co_await; it has let go of `done` then.
// What it gives is made of what `done` is called with, Result{...}; a Result
// can be made of nothing as well.
template <typename Result, typename Ask>
Awaited<Result, Ask> awaited(Ask ask) {
  return Awaited<Result, Ask>(std::move(ask));
}

}  // namespace brigade
