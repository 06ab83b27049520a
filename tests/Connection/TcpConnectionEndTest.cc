// How a connection ends, whoever ends it.

#include "brigade/Connection/TcpConnection.h"

#include <chrono>
#include <stdexcept>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

using Strings = std::vector<std::string>;
using Status = TcpConnection::Status;

class TcpConnectionEndTest : public ConnectionFixture {
 protected:
  FileDescriptor client;
};

TEST_F(TcpConnectionEndTest, AfterACloseInABatchAPeerThatDoesNotReadHasATime) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message&) {
    c.close(std::string(4'000'000, 'x'));
  };
  say(client, "x\n");
  ASSERT_TRUE(
      until([&] { return table().at(0)->status() == Status::kClosing; }));
  turn(*loop);
  EXPECT_EQ(loop->timerCount(), 1u) << "nothing will end it";
}

TEST_F(TcpConnectionEndTest, WhoIsOnlySentToIsNotIdle) {
  limits.idleTimeout = std::chrono::milliseconds(600);
  FileDescriptor idle;
  TcpConnection& connection = accept(client);
  accept(idle);
  const TimerId talk = loop->add(std::chrono::milliseconds(100), Repeat::kEvery,
                                 [&] { connection.send("news"); });
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  loop->del(talk);
  EXPECT_TRUE(atEnd(idle));
  EXPECT_FALSE(atEnd(client));
}

TEST_F(TcpConnectionEndTest, WhoIsAnsweredFromWhatWaitedIsNotIdle) {
  limits.idleTimeout = std::chrono::milliseconds(600);
  FileDescriptor idle;
  TcpConnection& connection = accept(client);
  accept(idle);
  handler.message = [](TcpConnection& c, const Message&) {
    c.pauseRecv();
    c.send("answer");
  };
  std::string all;
  for (int i = 0; i < 100; ++i) all += "x\n";
  say(client, all);
  const TimerId go = loop->add(std::chrono::milliseconds(100), Repeat::kEvery,
                               [&] { connection.resumeRecv(); });
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  loop->del(go);
  EXPECT_TRUE(atEnd(idle));
  EXPECT_LT(handler.messages.size(), 100u) << "nothing waited any more";
  EXPECT_NE(table().at(0), nullptr);
}

TEST_F(TcpConnectionEndTest, P14_CloseInsideOnMessageCallsOnCloseOnce) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message&) {
    c.close();
    c.close();
    EXPECT_EQ(c.send("late"), SendResult::kDropped);
  };
  say(client, "one\ntwo\n");
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  turn(*loop);
  EXPECT_EQ(handler.count("close"), 1u);
  EXPECT_EQ(handler.messages, Strings{"one"});
}

TEST_F(TcpConnectionEndTest, P35_CloseWithALastMessageDeliversItWhole) {
  TcpConnection& connection = accept(client);
  const std::string last(4'000'000, 'z');
  connection.close(last);
  EXPECT_EQ(connection.status(), Status::kClosing);
  EXPECT_EQ(hearBytes(client, last.size() + 1), last + "\n");
  EXPECT_TRUE(until([&] { return handler.count("close") == 1; }));
}

TEST_F(TcpConnectionEndTest, CloseLetsTheAnswerArriveThoughInputIsUnread) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message&) { c.close("bye"); };
  say(client, "x\n" + std::string(50'000, 'y'));
  EXPECT_EQ(hearBytes(client, 4), "bye\n");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

TEST_F(TcpConnectionEndTest, DestroyDropsWhatIsQueued) {
  TcpConnection& connection = accept(client);
  connection.send(std::string(4'000'000, 'q'));
  EXPECT_GT(connection.sendQueueSize(), 0u);
  connection.destroy();
  EXPECT_EQ(connection.status(), Status::kClosed);
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
}

TEST_F(TcpConnectionEndTest, CloseBehindSendsWhatStandsBeforeAndNoMore) {
  const std::string much(4'000'000, 'q');
  TcpConnection& connection = accept(client);
  connection.sendRaw(much);
  const std::uint64_t position = connection.outputPosition();
  EXPECT_EQ(position, much.size());
  connection.sendRaw("dropped");
  connection.closeBehind(position);
  EXPECT_EQ(connection.status(), Status::kClosing);
  EXPECT_TRUE(hearBytes(client, much.size()) == much);
  EXPECT_TRUE(until([&] { return atEnd(client); }));
  EXPECT_EQ(handler.count("error"), 0u);
}

TEST_F(TcpConnectionEndTest, CloseBehindDropsOfABatchWhatStandsBehind) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    c.sendRaw("kept");
    const std::uint64_t position = c.outputPosition();
    c.sendRaw("dropped");
    c.closeBehind(position);
    if (m.data() == "twice") c.closeBehind(position - 1);
  };
  say(client, "x\n");
  EXPECT_EQ(hearBytes(client, 4), "kept");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
  accept(client);
  say(client, "twice\n");
  EXPECT_EQ(hearBytes(client, 3), "kep");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

TEST_F(TcpConnectionEndTest, CloseBehindWhatHasLeftIsAClose) {
  TcpConnection& connection = accept(client);
  connection.sendRaw("sent");
  connection.closeBehind(1);
  EXPECT_EQ(hearBytes(client, 4), "sent");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
  // Also when it was closing, and waited for what is dropped now.
  TcpConnection& slow = accept(client);
  slow.sendRaw(std::string(4'000'000, 'q'));
  slow.close();
  slow.closeBehind(0);
  EXPECT_EQ(slow.status(), Status::kClosed);
}

TEST_F(TcpConnectionEndTest,
       AClosedConnectionIsFoundNoMoreThoughItsPlaceIsTaken) {
  const ConnectionId old = accept(client).id();
  EXPECT_NE(table().find(old), nullptr);
  table().find(old)->destroy();
  EXPECT_EQ(table().find(old), nullptr);
  turn(*loop);
  FileDescriptor other;
  const ConnectionId fresh = accept(other).id();
  EXPECT_EQ(fresh.index, old.index);
  EXPECT_NE(fresh, old);
  EXPECT_EQ(table().find(old), nullptr);
  EXPECT_NE(table().find(fresh), nullptr);
  EXPECT_EQ(ConnectionId::of(old.value()), old);
  EXPECT_EQ(ConnectionId::of(fresh.value()), fresh);
  EXPECT_EQ(table().find(ConnectionId{}), nullptr);
  EXPECT_EQ(table().find(ConnectionId{4711, 1}), nullptr);
}

TEST_F(TcpConnectionEndTest, ACallbackMayCloseAnotherConnection) {
  FileDescriptor second;
  accept(client);
  const ConnectionId victim = accept(second).id();
  handler.message = [&](TcpConnection&, const Message&) {
    if (TcpConnection* other = table().find(victim)) other->destroy();
  };
  say(second, "never seen\n");
  say(client, "kill\n");
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(table().size(), 1u);
}

TEST_F(TcpConnectionEndTest, AnExceptionEndsItsConnectionOnly) {
  FileDescriptor other;
  accept(client);
  accept(other);
  handler.message = [](TcpConnection& c, const Message& m) {
    if (m.data() == "throw") throw std::runtime_error("boom");
    c.send(m);
  };
  say(client, "before\nthrow\nafter\n");
  say(other, "fine\n");
  EXPECT_EQ(hearBytes(client, 7), "before\n");
  EXPECT_EQ(hearBytes(other, 5), "fine\n");
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kException);
  EXPECT_EQ(handler.lastReason, "boom");
  EXPECT_EQ(counters.exceptions.get(), 1u);
  EXPECT_EQ(table().size(), 1u);
}

TEST_F(TcpConnectionEndTest, ExceptionsInEveryCallbackAreContained) {
  const auto thrower = [](TcpConnection&) { throw std::runtime_error("no"); };
  handler.connect = handler.close = handler.error = handler.end = thrower;
  accept(client);
  client.reset();
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(table().size(), 0u);
  EXPECT_GE(counters.exceptions.get(), 3u);
  EXPECT_EQ(handler.thrown, counters.exceptions.get()) << "each is told";
}

TEST_F(TcpConnectionEndTest,
       P35_APeerThatShutsItsWritingSideStillGetsItsAnswer) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  say(client, "question\n");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(hearBytes(client, 9), "question\n");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

TEST_F(TcpConnectionEndTest, AProgramMayAnswerAfterThePeersEnd) {
  const ConnectionId id = accept(client).id();
  handler.end = [](TcpConnection&) {};  // it closes later
  say(client, "question\n");
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return handler.count("end") == 1; }));
  turn(*loop);
  ASSERT_NE(table().find(id), nullptr);
  table().find(id)->close("late answer");
  EXPECT_EQ(hearBytes(client, 12), "late answer\n");
}

TEST_F(TcpConnectionEndTest, AnIdleConnectionIsClosedAndABusyOneIsNot) {
  limits.idleTimeout = std::chrono::milliseconds(600);
  FileDescriptor busy;
  accept(client);
  accept(busy);
  const TimerId talk = loop->add(std::chrono::milliseconds(100), Repeat::kEvery,
                                 [&] { say(busy, "x\n"); });
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  loop->del(talk);
  EXPECT_EQ(handler.lastCode, ErrorCode::kIdleTimeout);
  EXPECT_TRUE(atEnd(client));
  EXPECT_EQ(table().size(), 1u);
}

TEST_F(TcpConnectionEndTest, APackageThatIsNotFinishedInTimeEndsItsConnection) {
  limits.packageTimeout = std::chrono::milliseconds(300);
  limits.idleTimeout = std::chrono::seconds(60);
  accept(client);
  say(client, "whole\nhalf");
  const auto begin = Clock::now();
  // Bytes do not prolong it.
  ASSERT_TRUE(until([&] {
    ::send(client.get(), "x", 1, MSG_NOSIGNAL);
    return handler.count("close") == 1;
  }));
  EXPECT_GE(Clock::now() - begin, std::chrono::milliseconds(300));
  EXPECT_EQ(handler.lastCode, ErrorCode::kPackageTimeout);
}

TEST_F(TcpConnectionEndTest, APackageTimeoutEndsWithThePackage) {
  limits.packageTimeout = std::chrono::milliseconds(100);
  FileDescriptor slow;
  accept(client);
  say(client, "half");
  turn(*loop);
  say(client, "whole\n");
  accept(slow);
  say(slow, "half");
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_NE(table().at(0), nullptr);
}

TEST_F(TcpConnectionEndTest, AnIdleConnectionMayStay) {
  limits.idleTimeout = std::chrono::milliseconds(100);
  accept(client);
  handler.idle = [n = 0](TcpConnection&) mutable { return ++n < 3; };
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.count("idle"), 3u);
  EXPECT_EQ(handler.lastCode, ErrorCode::kIdleTimeout);
}

}  // namespace
}  // namespace brigade::test
