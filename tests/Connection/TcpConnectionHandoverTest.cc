// A connection that goes on in another table, as in another process.

#include <fcntl.h>

#include <chrono>
#include <memory>
#include <stdexcept>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

using Strings = std::vector<std::string>;
using Status = TcpConnection::Status;

class TcpConnectionHandoverTest : public ConnectionFixture {
 protected:
  TcpConnectionHandoverTest() {
    handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
    theirs.message = handler.message;
  }
  ConnectionTable& successor() {
    if (!other_) {
      ProtocolRegistry registry;
      other_ = std::make_unique<ConnectionTable>(
          *loop, theirs, registry.find("text"), limits, theirCounters);
      other_->beginAbove(table().lastGeneration());
    }
    return *other_;
  }
  // As the two processes do it.
  TcpConnection& handOver(ConnectionId id) {
    EXPECT_TRUE(table().detach(*table().find(id)));
    const SavedConnection saved = decodeConnection(encode(table().save(id)));
    FileDescriptor socket(::fcntl(table().socketOf(id), F_DUPFD_CLOEXEC, 0));
    table().forget(id, [](TcpConnection&) {});
    TcpConnection& there = successor().adopt(std::move(socket), saved);
    successor().endAdopting();
    return there;
  }

  RecordingHandler theirs;
  ConnectionCounters theirCounters;
  FileDescriptor client;

 private:
  std::unique_ptr<ConnectionTable> other_;
};

TEST_F(TcpConnectionHandoverTest, ItGoesOnWithItsIdAndWithoutCallbacks) {
  const ConnectionId id = accept(client).id();
  say(client, "one\n");
  EXPECT_EQ(hearBytes(client, 4), "one\n");
  TcpConnection& there = handOver(id);
  EXPECT_EQ(there.id(), id);
  EXPECT_EQ(there.bytesRead(), 4u);
  EXPECT_EQ(there.bytesWritten(), 4u);
  EXPECT_EQ(table().size(), 0u);
  EXPECT_EQ(counters.open.get(), 0u);
  EXPECT_EQ(successor().size(), 1u);
  EXPECT_EQ(theirCounters.open.get(), 1u);
  EXPECT_EQ(successor().find(id), &there);
  say(client, "two\n");
  EXPECT_EQ(hearBytes(client, 4), "two\n");
  client.reset();
  ASSERT_TRUE(until([&] { return theirs.count("close") == 1; }));
  EXPECT_EQ(handler.events, Strings{"connect"});
  EXPECT_EQ(theirs.count("connect"), 0u);
}

TEST_F(TcpConnectionHandoverTest, WhatIsHeldBackIsReadBySuccessorsOnly) {
  const ConnectionId id = accept(client).id();
  say(client, "one\nha");
  EXPECT_EQ(hearBytes(client, 4), "one\n");
  table().hold();
  say(client, "lf\nthree\n");
  turn(*loop);
  EXPECT_EQ(handler.messages, Strings{"one"});
  handOver(id);
  EXPECT_EQ(hearBytes(client, 11), "half\nthree\n");
  EXPECT_EQ(handler.messages, Strings{"one"});
}

TEST_F(TcpConnectionHandoverTest, WhatIsReleasedGoesOnHere) {
  accept(client);
  table().hold();
  say(client, "one\n");
  turn(*loop);
  EXPECT_TRUE(handler.messages.empty());
  table().release();
  EXPECT_EQ(hearBytes(client, 4), "one\n");
}

TEST_F(TcpConnectionHandoverTest, WhatWaitsForASlowReaderComesInOrder) {
  TcpConnection& here = accept(client);
  here.setMaxSendBufferSize(64 << 20);
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(20'000, static_cast<char>('a' + i % 26));
    here.sendRaw(piece);
    expected += piece;
  }
  ASSERT_GT(here.sendQueueSize(), 0u);
  TcpConnection& there = handOver(here.id());
  EXPECT_EQ(there.maxSendBufferSize(), std::size_t{64} << 20);
  there.sendRaw("end");
  expected += "end";
  EXPECT_EQ(hearBytes(client, expected.size()), expected);
}

TEST_F(TcpConnectionHandoverTest, OneThatIsFullDrainsInTheSuccessor) {
  limits.maxSendBufferSize = 1000;
  TcpConnection& here = accept(client);
  while (!here.bufferFull()) here.sendRaw(std::string(100'000, 'x'));
  TcpConnection& there = handOver(here.id());
  EXPECT_TRUE(there.bufferFull());
  ASSERT_TRUE(until([&] {
    hear(client);
    return theirs.count("drain") == 1;
  }));
  EXPECT_EQ(theirs.count("full"), 0u);
}

TEST_F(TcpConnectionHandoverTest, APausedOneStaysPausedUntilItIsResumed) {
  TcpConnection& here = accept(client);
  handler.message = [](TcpConnection& c, const Message&) { c.pauseRecv(); };
  say(client, "one\ntwo\n");
  ASSERT_TRUE(until([&] { return here.paused(); }));
  TcpConnection& there = handOver(here.id());
  turn(*loop);
  EXPECT_TRUE(there.paused());
  EXPECT_TRUE(theirs.messages.empty());
  there.resumeRecv();
  EXPECT_EQ(hearBytes(client, 4), "two\n");
}

TEST_F(TcpConnectionHandoverTest, OneThatIsTakenBackGoesOnHere) {
  TcpConnection& here = accept(client);
  const ConnectionId id = here.id();
  table().hold();
  say(client, "one\n");
  ASSERT_TRUE(table().detach(here));
  EXPECT_EQ(here.status(), Status::kHandedOver);
  EXPECT_EQ(here.send("lost"), SendResult::kDropped);
  EXPECT_EQ(table().find(id), nullptr);
  EXPECT_EQ(table().detached(), 1u);
  table().release();
  turn(*loop);
  EXPECT_TRUE(handler.messages.empty());
  EXPECT_EQ(&table().takeBack(id), &here);
  EXPECT_EQ(hearBytes(client, 4), "one\n");
  EXPECT_EQ(table().size(), 1u);
}

TEST_F(TcpConnectionHandoverTest, WhatIsClosingPipedOrSendsAFileStays) {
  FileDescriptor other;
  TcpConnection& closing = accept(client);
  closing.sendRaw(std::string(4'000'000, 'x'));
  closing.close();
  ASSERT_EQ(closing.status(), Status::kClosing);
  EXPECT_FALSE(table().detach(closing));
  TcpConnection& from = accept(other);
  FileDescriptor third;
  from.pipe(accept(third));
  EXPECT_FALSE(table().detach(from));
  FileDescriptor fourth;
  TcpConnection& sending = accept(fourth);
  sending.sendRaw(std::string(4'000'000, 'x'));
  sending.sendFileAlways(std::make_shared<const FileDescriptor>(
                             ::open("/proc/self/exe", O_RDONLY)),
                         0, 100);
  EXPECT_FALSE(table().detach(sending));
}

TEST_F(TcpConnectionHandoverTest, ItsIdleTimeBeginsAnew) {
  limits.idleTimeout = std::chrono::milliseconds(300);
  TcpConnection& here = accept(client);
  handOver(here.id());
  ASSERT_TRUE(until([&] { return theirs.count("close") == 1; }));
  EXPECT_EQ(handler.count("close"), 0u);
}

}  // namespace
}  // namespace brigade::test
