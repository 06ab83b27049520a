#pragma once

// Office: a master's Router and the Mailboxes of some workers in one process
// and one loop, with real channels between them: what a program has, without
// the forks.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "brigade/Events/EventInterface.h"
#include "brigade/Events/ExceptionText.h"
#include "brigade/Process/Channel.h"
#include "brigade/Process/Router.h"
#include "brigade/Process/WorkerMail.h"
#include "brigade/Process/detail/Envelope.h"
#include "tests/support/RunUntil.h"

namespace brigade::test {

class Office : public ::testing::Test {
 protected:
  enum class Loop { kShared, kOwn };

  // What the master has of a worker, and the worker itself.
  struct Desk {
    Desk(Office& office, const Member& member, Loop which,
         std::pair<FileDescriptor, FileDescriptor> ends)
        : ownLoop(which == Loop::kOwn ? makeEventLoop("epoll") : nullptr),
          loop(ownLoop ? *ownLoop : *office.loop),
          mastersSide(office, member.pid),
          toWorker(*office.loop, std::move(ends.first), mastersSide),
          workersSide(*this),
          toMaster(loop, std::move(ends.second), workersSide),
          mail(loop, toMaster, member, office.router.heritage(),
               office.hooks()) {}

    struct MastersSide final : ChannelHandler {
      MastersSide(Office& theOffice, pid_t thePid)
          : office(theOffice), pid(thePid) {}
      void onFrame(const Frame& frame) override {
        office.router.onFrame(pid, frame);
      }
      void onChannelClosed() override {}
      void onChannelProgress() override { office.router.onProgress(pid); }
      Office& office;
      pid_t pid;
    };
    struct WorkersSide final : ChannelHandler {
      explicit WorkersSide(Desk& theDesk) : desk(theDesk) {}
      void onFrame(const Frame& frame) override { desk.mail.deliver(frame); }
      void onChannelClosed() override {}
      Desk& desk;
    };

    std::unique_ptr<EventInterface> ownLoop;
    EventInterface& loop;
    MastersSide mastersSide;
    Channel toWorker;
    WorkersSide workersSide;
    Channel toMaster;
    WorkerMail mail;
  };

  Office() { router.setWorkers(kWorkers); }

  Mailbox::Hooks hooks() {
    return {[this](std::string_view where, std::exception_ptr exception) {
              exceptions.push_back(std::string(where) + ": " +
                                   exceptionText(std::move(exception)));
            },
            [this](const std::string& text) { troubles.push_back(text); }};
  }

  // A worker at that index: a new generation of it.
  void fork(unsigned index, unsigned group = 0, Loop which = Loop::kShared) {
    const Member member{index, ++generations[index],
                        static_cast<pid_t>(++lastPid), group};
    auto desk =
        std::make_unique<Desk>(*this, member, which, Channel::makePair());
    router.onForked(member, desk->toWorker);
    desks[index] = std::move(desk);
  }
  void ready(unsigned index) { router.onReady(worker(index).self().pid); }
  void open(unsigned count) {
    for (unsigned i = 1; i <= count; ++i) fork(i);
    for (unsigned i = 1; i <= count; ++i) ready(i);
    settle();
  }
  // Its last words are heard, as the Supervisor does it.
  void die(unsigned index, const std::string& reason = "killed by SIGKILL") {
    auto node = desks.extract(index);
    Desk& desk = *node.mapped();
    desk.toWorker.drain();
    router.onExit(desk.mail.mailbox().self().pid, reason);
    buried.push_back(std::move(node.mapped()));
  }

  // As a worker whose program does not keep to the rules would write it.
  void forge(unsigned index, const detail::Envelope& mail) {
    std::string bytes;
    detail::encode(mail, bytes);
    desks.at(index)->toMaster.post(
        {FrameKind::kMail, bytes, mail.correlation, mail.descriptor});
    desks.at(index)->toMaster.flush();
  }

  Messenger& worker(unsigned index) { return desks.at(index)->mail.mailbox(); }
  SharedState& state(unsigned index) {
    return index == 0 ? router.state() : desks.at(index)->mail.state();
  }
  Messenger& master() { return router.mailbox(); }

  bool until(const std::function<bool()>& condition) {
    return runUntil(*loop, condition);
  }
  // Everything that is on its way has arrived.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      int echoes = 0;
      for (auto& [index, desk] : desks) {
        if (desk->ownLoop) continue;
        ++echoes;
        worker(index).request(0, "settle", "",
                              [&echoes](const Answer&) { --echoes; });
      }
      ASSERT_TRUE(until([&] { return echoes == 0; }));
    }
    troubles.clear();
  }
  // One that is stopped, until it is let go on by a call of turn(*loop).
  EventInterface& forkStopped(unsigned index) {
    fork(index, 0, Loop::kOwn);
    ready(index);
    settle();
    return *desks.at(index)->ownLoop;
  }

  static constexpr unsigned kWorkers = 4;
  std::unique_ptr<EventInterface> loop = makeEventLoop("epoll");
  std::vector<std::string> exceptions;
  std::vector<std::string> troubles;
  Router router{*loop, hooks()};
  std::map<unsigned, std::unique_ptr<Desk>> desks;
  std::vector<std::unique_ptr<Desk>> buried;
  std::map<unsigned, unsigned> generations;
  int lastPid = 1000;
};

}  // namespace brigade::test
