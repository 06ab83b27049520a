#pragma once

// Master: the first process. It owns the listeners, the pid file and the
// control socket, and supervises the worker processes and the programs. It
// never accepts and runs none of the program's message code. Signals: TERM and
// INT stop, QUIT stops gracefully, HUP reloads (and upgrades, when the
// program's file has changed), USR2 upgrades, USR1 reopens the log.

#include <sys/resource.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Process/ControlSocket.h"
#include "brigade/Process/HangWatch.h"
#include "brigade/Process/PidFile.h"
#include "brigade/Process/Programs.h"
#include "brigade/Process/Router.h"
#include "brigade/Process/SharedMemory.h"
#include "brigade/Process/Supervisor.h"
#include "brigade/Worker/RunConfig.h"
#include "brigade/Worker/RunningStatus.h"
#include "brigade/Worker/detail/Service.h"
#include "brigade/Worker/detail/Status.h"
#include "brigade/Worker/detail/Upgrade.h"

namespace brigade::detail {

class Configuration;
class Daemon;

class Master final : public SupervisorHandler,
                     public ProgramHandler,
                     public UpgradeHandler {
 public:
  // Prepares everything that can fail before the first fork: throws what is
  // wrong, and then leaves nothing behind. `config` is complete. `daemon` is
  // told how the start went; null in the foreground. `file` is read again for
  // each reload; null: there is none.
  Master(const std::vector<Worker*>& workers, const RunConfig& config,
         Configuration* file, Launch launch, Daemon* daemon);
  // In newer code, over execve(2). What it throws of has taken nothing.
  // `inheritance` is there until run() returns.
  Master(const std::vector<Worker*>& workers, const RunConfig& config,
         Configuration* file, Launch launch, Inheritance& inheritance);
  ~Master();

  // Forks, or goes on with an upgrade, and serves until stopped. Throws, when
  // all is ended again, what the start failed of.
  void run();

 private:
  void raiseDescriptorLimit();
  void startWorkers(const std::vector<Worker*>& workers);
  void makeServices(const std::vector<Worker*>& workers);
  int runWorkerProcess(Service& service, const ChildPlace& place,
                       FileDescriptor channel);
  // The part of a start that takes nothing from an image before.
  void prepare(const std::vector<Worker*>& workers);
  void makeSupervisor();
  void makePrograms();
  void watchSignals();

  void onReady(const SlotView& slot) override;
  void onFailed(const SlotView& slot, std::string_view reason) override;
  void onExit(const SlotView& slot, pid_t pid, ExitStatus status,
              bool expected) override;
  void onFrame(const SlotView& slot, pid_t pid, Channel& from,
               const Frame& frame) override;
  void onMail(pid_t pid, const Frame& frame) override {
    router_->onFrame(pid, frame);
  }
  void onForked(const ChildPlace& place, pid_t pid, Channel& channel) override;
  void onCarried(pid_t pid, Channel& channel) override {
    router_->attach(pid, channel);
  }
  void onEnding(pid_t pid) override { router_->onDraining(pid); }
  void onSucceeded(pid_t before, pid_t heir) override {
    router_->onSucceeded(before, heir);
  }
  void onProgress(pid_t pid) override { router_->onProgress(pid); }
  void onReloadStarted() override;
  void onReloadEnded(bool ok, std::string_view reason) override;
  void onReloadSkipped(const SlotView& slot) override;
  void inChild() override;
  bool ownsChild(pid_t pid) const override;

  void onProgramStart(const ProgramView& program) override;
  void onProgramFailed(const ProgramView& program,
                       std::string_view reason) override;
  void onProgramExit(const ProgramView& program, pid_t pid,
                     bool expected) override;
  void onProgramMessage(const ProgramMessage& message) override;
  void onProgramBadMessage(const ProgramView& program,
                           std::string_view reason) override;
  void onProgramLogKept(const ProgramView& program,
                        std::string_view reason) override;
  void inGuard() override;

  bool isStopping() const override { return supervisor_->stopping(); }
  bool isQuiet(bool patiently) const override;
  void settle() override { router_->settleOwn(); }
  void leave(Heir& heir) override;
  void carry(Archive& archive) override;
  void replaceAll(Grace grace) override;
  void replaceThoseOf(unsigned image) override;
  void onUpgraded(const std::vector<std::uint64_t>& replies) override;
  void onUpgradeFailed(const std::vector<std::uint64_t>& replies,
                       const std::string& reason) override;
  void inCheck() override;
  void carryServices(Archive& archive);
  void carryReplies(Archive& archive);
  void askUpgrade(const std::string& who, Grace grace, std::uint64_t reply);
  std::unique_ptr<ControlSocket> openControl(Archive* inherited);

  void adjustListeners();
  void lendListeners();
  void tellWorkers();
  void lend(const SlotView& slot, const std::vector<SlotView>& slots);
  void resizeServices();
  void resize(Service& service, unsigned count);
  void steerAll();
  void closeRemoved();
  void closeSocketsOf(Service& service);

  void watchForHangs();
  void lookForHangs();

  RunningStatus runningStatus() const;
  void askReload(const std::string& who);
  // Of both below: nothing is there yet that could be replaced.
  static constexpr const char* kStarting = "the program is starting";
  // Why there can be no reload now; empty: there can.
  std::string whyNoReload() const;
  void rereadConfiguration();

  void checkReady();
  void startDone();
  void startFailed(const std::string& reason);
  void noteFailure(const SlotView& slot, const std::string& text);
  void checkStart();
  void tellWaiting();
  void stop(Grace grace);
  void onStopped();
  void reopen();
  void reopenOutput();
  void reopenInWorkers(FrameKind kind, int descriptor, const std::string& what);
  void forEachWorker(const std::function<void(Worker&)>& call);
  static void logException(const std::string& where);
  void progress(const std::string& text);

  void onRequest(std::string_view request, ControlSocket::Reply reply);
  void answerStatus(const ControlSocket::Reply& reply);
  void answerConnections(const ControlSocket::Reply& reply);
  void answerReload(Grace grace, ControlSocket::Reply reply);
  void answerUpgrade(Grace grace, ControlSocket::Reply reply);
  bool answerSlot(std::string_view request, const ControlSocket::Reply& reply);
  using Replies = std::map<std::uint64_t, ControlSocket::Reply>;
  // `awake`: the turns, a moment ago, of the workers that did not sleep.
  ProgramStatus status(const std::map<unsigned, std::uint64_t>& awake);
  static CommandStatus statusOf(const ProgramView& program);
  WorkerStatus statusOf(const SlotView& slot,
                        const std::map<unsigned, std::uint64_t>& awake);
  double rateOf(const SlotView& slot, std::uint64_t messages);
  const Score& scoreOf(const SlotView& slot) const;

  struct ConnectionsQuery {
    ControlSocket::Reply reply;
    std::set<pid_t> waiting;  // for these
    TimerId deadline;
  };
  void heardAll(std::uint64_t query, pid_t pid);
  void finishConnections(std::uint64_t query);

  RunConfig config_;
  Daemon* daemon_;
  std::string configTextBefore_;  // of the image before this one
  Configuration* file_;
  std::unique_ptr<EventInterface> loop_;
  std::unique_ptr<PidFile> pidFile_;
  std::set<std::string> claimed_;  // see Service::claimPath()
  std::deque<Service> services_;
  std::unique_ptr<ControlSocket> control_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Programs> programs_;
  std::unique_ptr<Upgrade> upgrade_;

  Inheritance* inheritance_ = nullptr;  // null: this process was started
  bool starting_ = true;
  int stopsLeft_ = 2;    // of the worker processes, and of the programs
  TimerId startNews_{};  // for a daemon's caller
  std::string startFailure_;
  std::map<unsigned, std::string> failures_;  // of the start, by index
  // Whoever waits for a stop or a reload, and is told how it goes.
  Replies waiting_;
  std::uint64_t nextReply_ = 1;
  std::string note_;
  rlimit descriptors_{};  // as they were set for us
  std::chrono::system_clock::time_point startedAt_;
  Clock::time_point started_;

  // Who accepts for a slot that waits for its next process, by that slot's
  // index.
  struct Helper {
    unsigned index;
    pid_t pid;

    void carry(Archive& archive) { archive(index, pid); }
  };
  std::map<unsigned, Helper> helpers_;
  // Of Services with fewer processes than sockets, by group: until connections
  // that were being made to those have come.
  std::map<unsigned, TimerId> closing_;

  HangWatch hangWatch_;
  TimerId hangLooks_{};  // while a Worker has a hangTimeout

  unsigned looksUnderWay_ = 0;  // of status, which waits for a second look
  std::uint64_t nextQuery_ = 1;
  std::map<std::uint64_t, ConnectionsQuery> queries_;

  // For rates: what the previous look at a slot saw.
  struct Look {
    Clock::time_point at;
    std::uint64_t messages;
  };
  std::map<unsigned, Look> looks_;
};

}  // namespace brigade::detail
