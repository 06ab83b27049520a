// What passes between a child and its successor.

#include <fcntl.h>

#include <chrono>
#include <optional>

#include "tests/Process/SupervisorFixture.h"

namespace brigade::test {
namespace {

using std::chrono::milliseconds;

// What the child does that is told to come to rest.
enum class Rest : int { kQuiet, kSilent, kDies };

struct HeirOrders {
  std::atomic<Rest> rest{Rest::kQuiet};
  std::atomic<bool> heirDies{false};
};

// Says to the master what it is told.
class Heir final : public ChannelHandler {
 public:
  Heir(const ChildPlace& place, FileDescriptor channel, HeirOrders& orders)
      : place_(place),
        orders_(orders),
        channel_(*loop_, std::move(channel), *this) {}

  int run() {
    channel_.send({FrameKind::kReady});
    if (place_.isHeir && orders_.heirDies) return 3;
    loop_->loop();
    return 0;
  }

 private:
  void onFrame(const Frame& frame) override {
    if (frame.kind == FrameKind::kHandOver) {
      if (orders_.rest == Rest::kDies) ::_exit(4);
      end_.reset(::fcntl(frame.descriptor, F_DUPFD_CLOEXEC, 0));
      if (orders_.rest == Rest::kQuiet) channel_.send({FrameKind::kQuiet});
    } else if (frame.kind == FrameKind::kTakeOver) {
      say(frame.descriptor < 0 ? "takes over nothing" : "takes over");
      channel_.send({FrameKind::kAdopted});
    } else if (frame.kind == FrameKind::kAdopted) {
      say("is told");
    } else if (frame.kind == FrameKind::kDrain) {
      loop_->add(milliseconds(50), Repeat::kOnce, [this] { loop_->stop(); });
    } else if (frame.kind == FrameKind::kStop) {
      loop_->stop();
    }
  }
  void onChannelClosed() override { loop_->stop(); }
  void say(const std::string& what) {
    channel_.send({FrameKind::kFirstOfProgram,
                   std::to_string(place_.generation) + " " + what});
  }

  ChildPlace place_;
  HeirOrders& orders_;
  FileDescriptor end_;
  std::unique_ptr<EventInterface> loop_ = makeEventLoop("epoll");
  Channel channel_;
};

class SupervisorHandoverTest : public SupervisorTest {
 protected:
  void SetUp() override {
    ProcessGroup group;
    group.count = 1;
    group.handover = true;
    group.main = [this](const ChildPlace& place, FileDescriptor channel) {
      return Heir(place, std::move(channel), shared_[0]).run();
    };
    own_.addGroup(std::move(group));
    own_.start();
    ASSERT_TRUE(until([&] { return countOf("ready") == 1; }));
  }
  void TearDown() override {
    bool stopped = false;
    own_.stop(Grace::kFast, [&](bool, std::string_view) { stopped = true; });
    EXPECT_TRUE(until([&] { return stopped; }));
  }
  void onSucceeded(pid_t, pid_t) override { note("succeeded", 1); }

  bool reload() {
    std::optional<bool> result;
    own_.reload(Grace::kFast, [&](bool ok, std::string_view) { result = ok; });
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    return result.value_or(false);
  }
  HeirOrders& orders() { return shared_[0]; }
  pid_t pid() { return own_.slots().front().pid; }

 private:
  SharedArray<HeirOrders> shared_{1};
  Supervisor own_{*loop,
                  *this,
                  {.stopTimeout = milliseconds(2000),
                   .readyTimeout = std::chrono::seconds(10),
                   .quietTimeout = milliseconds(300)}};
};

TEST_F(SupervisorHandoverTest, BothAreToldInTheirOrder) {
  EXPECT_TRUE(reload());
  EXPECT_EQ(frames, (Strings{"2 takes over", "1 is told"}));
  EXPECT_EQ(events, (Strings{"ready 1", "succeeded 1", "ready 1", "ended 1"}));
}

TEST_F(SupervisorHandoverTest, OneThatDoesNotRestIsReplacedWithout) {
  orders().rest = Rest::kSilent;
  EXPECT_TRUE(reload());
  EXPECT_EQ(frames.front(), "2 takes over nothing");
  EXPECT_EQ(countOf("succeeded"), 0u);
  EXPECT_EQ(countOf("ready"), 2u);
}

TEST_F(SupervisorHandoverTest, OneThatDiesInsteadIsFollowedAtOnce) {
  orders().rest = Rest::kDies;
  EXPECT_TRUE(reload());
  ASSERT_TRUE(until([&] { return !frames.empty(); }));
  EXPECT_EQ(frames.front(), "2 takes over nothing");
  EXPECT_EQ(countOf("died"), 1u);
  orders().rest = Rest::kQuiet;
  EXPECT_TRUE(reload());
  EXPECT_EQ(countOf("succeeded"), 1u);
}

TEST_F(SupervisorHandoverTest, ASuccessorThatDiesLeavesTheFirstOne) {
  orders().rest = Rest::kSilent;
  orders().heirDies = true;
  const pid_t before = pid();
  EXPECT_FALSE(reload());
  EXPECT_EQ(pid(), before);
  EXPECT_TRUE(frames.empty());
  orders().rest = Rest::kQuiet;
  orders().heirDies = false;
  EXPECT_TRUE(reload());
  EXPECT_EQ(frames, (Strings{"2 takes over", "1 is told"}));
}

}  // namespace
}  // namespace brigade::test
