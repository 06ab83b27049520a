// Processes that are replaced because they have done enough.

#include <algorithm>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

class Recycling : public SupervisedTest {};

TEST_F(Recycling, N10_AWorkerLeavesAfterSoManyRequestsAndNoneFails) {
  start(2, {"MAX_REQUESTS=100"});
  const auto before = program.workerPids();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo x"), "x") << i;
  }
  ASSERT_TRUE(eventually([&] {
    const auto now = program.workerPids();
    return now[0] != before[0] && now[1] != before[1];
  }));
  for (unsigned index = 1; index <= 2; ++index) {
    ASSERT_TRUE(becomes(index, "ready"));
    EXPECT_EQ(worker(index).at("restarts"), 0) << "nobody died";
    EXPECT_GE(worker(index).at("generation"), 2);
  }
  EXPECT_EQ(program.status().at("totals").at("messages"), 1000);
  EXPECT_TRUE(logs(" messages: asks for its successor"));
  EXPECT_EQ(countOf("onWorkerReload"), 0u);
}

TEST_F(Recycling, N10_UnderLoadFromManyClientsNoneFails) {
  start(2, {"MAX_REQUESTS=150"});
  Load load(program.port(), 4);
  ASSERT_TRUE(eventually([&] {
    return worker(1).at("generation") >= 4 && worker(2).at("generation") >= 4;
  }));
  load.stop();
  EXPECT_EQ(load.failed(), 0u);
  EXPECT_GT(load.answered(), 500u);
}

TEST_F(Recycling, N10_LimitsDifferFromProcessToProcess) {
  start(1, {"MAX_REQUESTS=200"});
  Load load(program.port(), 2);
  std::set<std::string> limits;
  ASSERT_TRUE(eventually([&] {
    std::istringstream log(program.log());
    for (std::string line; std::getline(log, line);) {
      const auto at = line.find("has received ");
      if (at != std::string::npos) limits.insert(line.substr(at));
    }
    return limits.size() >= 2;
  }));
}

TEST_F(Recycling, N10_AWorkerLeavesAfterSoManyConnections) {
  start(1, {"MAX_ACCEPTS=20"});
  const pid_t before = program.workerPid(1);
  Wire kept(program.port());
  for (int i = 0; i < 18; ++i) ASSERT_EQ(kept.ask("echo x"), "x");
  EXPECT_EQ(program.workerPid(1), before) << "it counts connections";
  for (int i = 0; i < 25; ++i) {
    ASSERT_EQ(Wire(program.port()).ask("echo x"), "x") << i;
  }
  EXPECT_TRUE(eventually([&] {
    const pid_t now = program.workerPid(1);
    return now != 0 && now != before;
  }));
  EXPECT_TRUE(logs(" connections: asks for its successor"));
}

TEST_F(Recycling, N10_AWorkerThatGrewLeavesWhenItWorks) {
  start(1, {"MAX_MEMORY=100000000"});
  const pid_t before = program.workerPid(1);
  Wire client(program.port());
  ASSERT_EQ(client.ask("grow 120000000"), "grown");
  // The look that came with that message may have been the last for 250 ms.
  ASSERT_TRUE(eventually([&] {
    client.ask("echo x");
    return program.workerPid(1) != before && program.workerPid(1) != 0;
  }));
  EXPECT_TRUE(logs(" bytes in memory: asks for its successor"));
}

}  // namespace
}  // namespace brigade::test
