// A client's address that decides which process serves it.

#include <signal.h>

#include <set>

#include "tests/integration/support/Supervised.h"

namespace brigade::test {
namespace {

class Sticky : public SupervisedTest {
 protected:
  // "index=2", of the process that serves 127.0.0.`host`.
  std::string servedBy(std::uint8_t host) const {
    const std::string id =
        Wire(program.port(), host).ask("id").value_or("nobody");
    return id.substr(0, id.find(' '));
  }
  pid_t pidFor(std::uint8_t host) const {
    const std::string id = Wire(program.port(), host).ask("id").value_or("");
    std::istringstream digits(id.substr(id.find("pid=") + 4));
    pid_t pid = 0;
    digits >> pid;
    return pid;
  }
  // The one that serves each of 127.0.0.2 to 127.0.0.60.
  std::vector<std::string> all() const {
    std::vector<std::string> found;
    for (std::uint8_t host = 2; host <= 60; ++host) {
      found.push_back(servedBy(host));
    }
    return found;
  }
};

TEST_F(Sticky, T20_AllConnectionsOfAnAddressComeToOneProcessAlsoAfterItsDeath) {
  start(4, {"ACCEPT_MODE=sticky"});
  const std::string index = servedBy(5);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(servedBy(5), index);
  const auto before = all();
  EXPECT_EQ(std::set(before.begin(), before.end()).size(), 4U)
      << "other addresses go elsewhere";
  const pid_t old = pidFor(5);
  ASSERT_EQ(::kill(old, SIGKILL), 0);
  EXPECT_EQ(servedBy(5), index) << "its successor's";
  EXPECT_NE(pidFor(5), old);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(servedBy(5), index);
  EXPECT_EQ(all(), before);
}

TEST_F(Sticky, T20_WhileItsProcessIsAwayASiblingHasIt) {
  start(3, {"ACCEPT_MODE=sticky"});
  const std::string own = servedBy(5);
  const std::string number = own.substr(own.find('=') + 1);
  ASSERT_EQ(program.command({"stop-worker", number}).code, 0);
  const std::string other = servedBy(5);
  EXPECT_NE(other, own);
  EXPECT_TRUE(other.starts_with("index=")) << other;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(servedBy(5), other);
  ASSERT_EQ(program.command({"start-worker", number}).code, 0);
  EXPECT_TRUE(eventually([&] { return servedBy(5) == own; }));
}

TEST_F(Sticky, T20_ReloadsChangeNothingUnlessTheyChangeCount) {
  const std::string countFile = program.directory() + "/count.log";
  std::ofstream(countFile) << 3;
  start(3, {"ACCEPT_MODE=sticky", "COUNT_FILE=" + countFile});
  const auto before = all();
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_EQ(all(), before);
  std::ofstream(countFile) << 2;
  ASSERT_EQ(program.command({"reload"}).code, 0);
  const auto fewer = all();
  EXPECT_EQ(std::set(fewer.begin(), fewer.end()).size(), 2U);
  EXPECT_EQ(all(), fewer) << "and they stick";
  std::ofstream(countFile) << 3;
  ASSERT_EQ(program.command({"reload"}).code, 0);
  EXPECT_TRUE(eventually([&] { return all() == before; }));
}

}  // namespace
}  // namespace brigade::test
