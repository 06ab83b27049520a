// Promise: in the steady state a message costs no heap allocation.

#include "tests/Connection/ConnectionFixture.h"
#include "tests/support/Allocations.h"

namespace brigade::test {
namespace {

class AllocationTest : public ConnectionFixture {
 protected:
  class Echo final : public ConnectionHandler {
   public:
    void onMessage(TcpConnection& c, const Message& m) override {
      c.send(m);
      if (--left == 0) loop->stop();
    }
    EventInterface* loop = nullptr;
    int left = 0;
  };

  // Heap allocations of `rounds` batches of `messages` on one connection.
  std::size_t allocationsOf(const std::string& scheme, const std::string& batch,
                            int messages) {
    Echo echo;
    echo.loop = loop.get();
    ConnectionTable own(*loop, echo, ProtocolRegistry().find(scheme), {},
                        counters);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const FileDescriptor peer(ends[1]);
    own.adopt(FileDescriptor(ends[0]), Endpoint());
    std::size_t counted = 0;
    char heard[65536];
    for (int round = 0; round < 110; ++round) {
      const std::size_t before = allocations();
      // Two segments: the cut falls inside a message.
      const std::size_t cut = batch.size() / 2 + 1;
      echo.left = messages;
      EXPECT_GT(::send(peer.get(), batch.data(), cut, 0), 0);
      turnOnce();
      EXPECT_GT(::send(peer.get(), batch.data() + cut, batch.size() - cut, 0),
                0);
      if (echo.left > 0) loop->loop();
      EXPECT_GT(::recv(peer.get(), heard, sizeof heard, 0), 0);
      if (round >= 10) counted += allocations() - before;
    }
    return counted;
  }

 private:
  struct Stop final : Watcher {
    explicit Stop(EventInterface& theLoop) : loop(theLoop) {}
    void onReady(Ready) override { loop.stop(); }
    EventInterface& loop;
  };

  // One turn that itself allocates nothing: always-ready descriptor stops it.
  void turnOnce() {
    loop->add(always_[0], Interest::kWrite, stop_);
    loop->loop();
    loop->del(always_[0]);
  }

  int always_[2] = {-1, -1};
  FileDescriptor first_, second_;
  Stop stop_{*loop};

  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, always_), 0);
    first_.reset(always_[0]);
    second_.reset(always_[1]);
  }
};

TEST_F(AllocationTest, RawBytesCostNone) {
  EXPECT_EQ(allocationsOf("tcp", std::string(32, 'x'), 2), 0u);
}

TEST_F(AllocationTest, LinesCostNoneEvenWhenCut) {
  std::string batch;
  for (int i = 0; i < 16; ++i) batch += "twenty bytes of text\n";
  EXPECT_EQ(allocationsOf("text", batch, 16), 0u);
}

TEST_F(AllocationTest, FramesCostNoneEvenWhenCut) {
  std::string batch;
  for (int i = 0; i < 16; ++i)
    batch += std::string("\0\0\0\x0c", 4) + "12345678";
  EXPECT_EQ(allocationsOf("frame", batch, 16), 0u);
}

}  // namespace
}  // namespace brigade::test
