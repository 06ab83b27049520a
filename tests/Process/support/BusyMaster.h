#pragma once

// BusyMaster: an Office whose master answers while a worker holds its thread:
// the master's loop turns in another one.

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "brigade/Process/MasterTable.h"
#include "tests/Process/support/Office.h"

namespace brigade::test {

class BusyMaster : public Office {
 protected:
  // Workers that belong to this thread: before the master is at work.
  void openOwn(unsigned count) {
    for (unsigned i = 1; i <= count; ++i) {
      fork(i, 0, Loop::kOwn);
      router.onReady(worker(i).self().pid);
    }
  }
  void work() {
    done = false;
    master_ = std::thread([this] {
      while (!done) runUntil(*loop, [this] { return done.load(); });
    });
  }
  void rest() {
    done = true;
    if (master_.joinable()) master_.join();
  }
  void TearDown() override { rest(); }

  MasterTable& table(unsigned index) { return desks.at(index)->mail.table(); }
  EventInterface& loopOf(unsigned index) { return *desks.at(index)->ownLoop; }

 private:
  std::atomic<bool> done = false;
  std::thread master_;
};

}  // namespace brigade::test
