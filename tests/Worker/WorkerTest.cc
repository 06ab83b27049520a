#include "brigade/Worker/Worker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>

#include "brigade/Protocol/Text.h"

namespace brigade {
namespace {

TEST(WorkerTest, OutsideAWorkerProcessItSaysSo) {
  Worker worker("text://127.0.0.1:0");
  EXPECT_EQ(worker.index(), 0u);
  EXPECT_EQ(worker.id(), 0u);
  EXPECT_THROW(worker.loop(), std::logic_error);
  EXPECT_THROW(worker.connections(), std::logic_error);
  EXPECT_THROW(worker.find({}), std::logic_error);
  EXPECT_THROW(worker.addTimer(std::chrono::seconds(1), Repeat::kOnce, [] {}),
               std::logic_error);
}

TEST(WorkerTest, ABadSchemeIsRefusedWhereItIsRegistered) {
  Worker worker;
  EXPECT_THROW(worker.registerProtocol("No Scheme",
                                       [] { return std::make_unique<Text>(); }),
               std::invalid_argument);
}

}  // namespace
}  // namespace brigade
