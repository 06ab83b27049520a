#pragma once

// TaskBoard: which worker runs what was given to consume(). Pure: told what
// happens, it tells its handler what to do. In the master.
//
//   submit --> waiting --> given to a worker --done--> answered
//                 ^              | it dies
//                 |              v
//                 '- at least once      at most once: answered, kDied

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "brigade/Process/Messenger.h"
#include "brigade/Process/detail/Envelope.h"

namespace brigade {
class Archive;
}  // namespace brigade

namespace brigade::detail {

struct Task {
  std::uint64_t id = 0;
  Place caller;
  std::uint64_t correlation = 0;  // of the caller's question
  Messenger::Delivery delivery{};
  std::string event;
  std::string data;
  FileDescriptor sealed;  // or here, `size` bytes
  std::uint64_t size = 0;
  Place worker;  // that has it; the master's: none

  void carry(Archive& archive);
};

class TaskBoardHandler {
 public:
  virtual void onTask(const Task& task, const Place& worker) = 0;
  virtual void onTaskEnded(const Task& task, Answer::Status status,
                           std::string_view why) = 0;

 protected:
  ~TaskBoardHandler() = default;
};

class TaskBoard {
 public:
  // Tasks that one worker has at a time; the others wait here.
  static constexpr std::size_t kMostAtWork = 64;
  // Bytes of tasks that wait or may have to be given again.
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

  explicit TaskBoard(TaskBoardHandler& handler) : handler_(handler) {}

  void submit(Task task);
  // Null when that worker does not have it. The caller ends it with done().
  const Task* find(const Place& worker, std::uint64_t id) const;
  void done(std::uint64_t id);

  void workerReady(const Place& worker);
  // It gets no more; what it has it may finish.
  void workerDraining(const Place& worker);
  void workerGone(const Place& worker, std::string_view why);
  void listens(const Place& worker, std::string_view event);
  void ignores(const Place& worker, std::string_view event);

  void carry(Archive& archive);

 private:
  struct Runner {
    bool ready = false;
    std::size_t atWork = 0;
    std::uint64_t lastGiven = 0;
    std::set<std::string, std::less<>> events;

    void carry(Archive& archive);
  };

  static std::size_t sizeOf(const Task& task);
  bool anyoneListens(std::string_view event) const;
  std::map<Place, Runner>::iterator choose(std::string_view event);
  bool give(Task& task);
  void giveWaiting();

  TaskBoardHandler& handler_;
  std::map<Place, Runner> runners_;
  std::deque<Task> waiting_;
  std::map<std::uint64_t, Task> atWork_;  // by id
  std::size_t bytes_ = 0;
  std::uint64_t nextId_ = 1;
  std::uint64_t given_ = 0;
};

}  // namespace brigade::detail
