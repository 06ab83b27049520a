#include "brigade/Connection/TcpConnection.h"

#include <cerrno>

#include "brigade/Protocol/Frame.h"
#include "brigade/Protocol/Text.h"
#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

using Strings = std::vector<std::string>;
using Status = TcpConnection::Status;

class TcpConnectionTest : public ConnectionFixture {
 protected:
  FileDescriptor client;
};

// ---- Messages

TEST_F(TcpConnectionTest, P13_MessagesOfOneSegmentArriveOneByOneAndInOrder) {
  accept(client);
  say(client, "one\ntwo\r\nthree\n");
  ASSERT_TRUE(until([&] { return handler.messages.size() == 3; }));
  EXPECT_EQ(handler.messages, (Strings{"one", "two", "three"}));
  EXPECT_EQ(counters.messages.get(), 3u);
}

TEST_F(TcpConnectionTest, P13_AMessageInPiecesArrivesOnce) {
  TcpConnection& connection = accept(client);
  for (const char* piece : {"he", "l", "lo"}) {
    say(client, piece);
    turn(*loop);
  }
  EXPECT_TRUE(handler.messages.empty());
  EXPECT_EQ(connection.receiveQueueSize(), 5u);
  say(client, "\n");
  ASSERT_TRUE(until([&] { return handler.messages.size() == 1; }));
  EXPECT_EQ(handler.messages[0], "hello");
  EXPECT_EQ(connection.receiveQueueSize(), 0u);
}

TEST_F(TcpConnectionTest, AMessageLongerThanTheReceiveBufferArrivesWhole) {
  accept(client);
  const std::string line(3'000'000, 'x');
  std::size_t said = 0;
  const std::string bytes = line + "\nnext\n";
  ASSERT_TRUE(until([&] {
    const ssize_t n = ::send(client.get(), bytes.data() + said,
                             bytes.size() - said, MSG_DONTWAIT);
    if (n > 0) said += static_cast<std::size_t>(n);
    return handler.messages.size() == 2;
  }));
  EXPECT_EQ(handler.messages[0], line);
  EXPECT_EQ(handler.messages[1], "next");
}

TEST_F(TcpConnectionTest, P14_DataAndEndInOneSegmentAreMessageThenClose) {
  accept(client);
  say(client, "last\n");
  client.reset();
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.messages, Strings{"last"});
  EXPECT_EQ(handler.events, (Strings{"connect", "end", "close"}));
}

TEST_F(TcpConnectionTest, AnswersToABatchLeaveInOneSystemCall) {
  struct Counting final : detail::Transport {
    ssize_t receive(int fd, char* data, std::size_t size) override {
      return plain.receive(fd, data, size);
    }
    ssize_t peek(int fd) override { return plain.peek(fd); }
    ssize_t send(int fd, std::span<const iovec> pieces) override {
      ++sends;
      return plain.send(fd, pieces);
    }
    ssize_t sendFile(int fd, int file, off_t offset,
                     std::size_t count) override {
      return plain.sendFile(fd, file, offset, count);
    }
    detail::PlainTransport plain;
    int sends = 0;
  } transport;
  useTransport(transport);
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  say(client, "a\nb\nc\nd\n");
  EXPECT_EQ(hearBytes(client, 8), "a\nb\nc\nd\n");
  EXPECT_EQ(transport.sends, 1);
}

TEST_F(TcpConnectionTest, LargeMessagesAreEchoedUnchanged) {
  useProtocol("frame");
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    EXPECT_NE(c.send(m), SendResult::kDropped);
  };
  for (const std::size_t size : {0u, 1u, 1023u, 1024u, 16384u, 100'000u}) {
    const auto total = static_cast<std::uint32_t>(size + 4);
    std::string frame{static_cast<char>(total >> 24),
                      static_cast<char>(total >> 16),
                      static_cast<char>(total >> 8), static_cast<char>(total)};
    frame.append(size, static_cast<char>('a' + size % 26));
    say(client, frame + frame);
    EXPECT_EQ(hearBytes(client, 2 * frame.size()), frame + frame) << size;
  }
}

// ---- Refusals

TEST_F(TcpConnectionTest, P34_ALyingFrameEndsItsConnectionOnly) {
  useProtocol("frame");
  FileDescriptor liar;
  accept(client);
  accept(liar);
  say(liar, std::string("\0\0\0\3", 4));
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kProtocol);
  EXPECT_FALSE(handler.lastReason.empty());
  EXPECT_EQ(counters.protocolErrors.get(), 1u);
  say(client, std::string("\0\0\0\5x", 5));
  ASSERT_TRUE(until([&] { return handler.messages.size() == 1; }));
}

TEST_F(TcpConnectionTest, P34_ThePackageLimitHoldsToTheByte) {
  limits.maxPackageSize = 10;
  accept(client);
  say(client, "123456789\n");
  ASSERT_TRUE(until([&] { return handler.messages.size() == 1; }));
  EXPECT_EQ(handler.count("error"), 0u);
  say(client, "1234567890\n");
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kPackageTooLong);
}

TEST_F(TcpConnectionTest, P34_W07_AClaimedLengthOverTheLimitIsRefusedAtOnce) {
  useProtocol("frame");
  accept(client);
  say(client, std::string("\x7f\xff\xff\xff", 4));
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kPackageTooLong);
}

TEST_F(TcpConnectionTest, AnswersBeforeABadMessageStillArrive) {
  limits.maxPackageSize = 8;
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  say(client, "good\nmuch too long\n");
  EXPECT_EQ(hearBytes(client, 5), "good\n");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

// Lines, of which "#..." is a comment and "!..." an error; it says why it
// leaves.
class Talkative final : public ProtocolInterface {
 public:
  Packet input(std::string_view bytes) override {
    const Packet packet = lines_.input(bytes);
    const bool comment = packet.kind == Packet::Kind::kWhole && bytes[0] == '#';
    return comment ? Packet::silent(packet.length) : packet;
  }
  Message decode(std::span<char> packet) override {
    if (packet[0] == '!') throw ProtocolError("an error was sent");
    packet[0] = 'X';
    return lines_.decode(packet);
  }
  void encode(const Message& message, Output& out) override {
    lines_.encode(message, out);
  }
  void refuse(Refusal refusal, Output& out) override {
    lines_.encode(refusal == Refusal::kTooLong ? "too long" : "malformed", out);
  }

 private:
  Text lines_;
};

class TalkativeTest : public TcpConnectionTest {
 protected:
  TalkativeTest() {
    useProtocol("talkative", [] { return std::make_unique<Talkative>(); });
    handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  }
};

TEST_F(TalkativeTest, ASilentPacketIsNoMessage) {
  accept(client);
  say(client, "1\n#2\n3\n#\n");
  EXPECT_EQ(hearBytes(client, 4), "X\nX\n");
  EXPECT_EQ(counters.messages.get(), 2u);
  EXPECT_EQ(table().at(0)->receiveQueueSize(), 0u);
}

TEST_F(TalkativeTest, ItsLastWordsFollowTheAnswers) {
  accept(client);
  say(client, "1\n!2\n3\n");
  EXPECT_EQ(hearBytes(client, 12), "X\nmalformed\n");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
  EXPECT_EQ(handler.lastCode, ErrorCode::kProtocol);
  EXPECT_EQ(handler.lastReason, "an error was sent");
}

TEST_F(TalkativeTest, ItIsToldThatAPackageIsTooLong) {
  limits.maxPackageSize = 8;
  accept(client);
  say(client, "123456789");
  EXPECT_EQ(hearBytes(client, 9), "too long\n");
  EXPECT_TRUE(until([&] { return atEnd(client); }));
}

// ---- Other codecs

TEST_F(TcpConnectionTest, AnotherCodecReadsFromTheNextPacketOn) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    if (m.data() == "upgrade") c.setProtocol(std::make_unique<Frame>());
    c.sendRaw(m.data());
  };
  say(client, std::string("a\nupgrade\n\0\0\0\5"
                          "b",
                          15));
  EXPECT_EQ(hearBytes(client, 9), "aupgradeb");
  EXPECT_EQ(handler.messages, (Strings{"a", "upgrade", "b"}));
}

// An encoder that fails in the middle of its work.
class Stumbling final : public ProtocolInterface {
 public:
  Packet input(std::string_view bytes) override { return lines_.input(bytes); }
  Message decode(std::span<char> packet) override {
    return lines_.decode(packet);
  }
  void encode(const Message& message, Output& out) override {
    out.append("HEAD:");
    out.append(message.data());
    if (message.data().starts_with("bad")) throw std::length_error("too bad");
    out.append('\n');
  }

 private:
  Text lines_;
};

class StumblingTest : public TcpConnectionTest {
 protected:
  StumblingTest() {
    useProtocol("stumbling", [] { return std::make_unique<Stumbling>(); });
  }
};

TEST_F(StumblingTest, P34_OfAMessageThatCannotBeEncodedNothingIsSentToAnybody) {
  FileDescriptor other;
  TcpConnection& connection = accept(client);
  TcpConnection& second = accept(other);
  EXPECT_THROW(connection.send("bad"), std::length_error);
  second.send("for the other");
  connection.send("good");
  EXPECT_EQ(hearBytes(other, 19), "HEAD:for the other\n");
  EXPECT_EQ(hearBytes(client, 10), "HEAD:good\n");
}

TEST_F(StumblingTest, InABatchTheAnswersAroundItAreSent) {
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    if (m.data() != "2") {
      c.send(m);
      return;
    }
    // Large enough to be borrowed, and gone before the batch ends.
    const std::string large = "bad" + std::string(100'000, 'x');
    EXPECT_THROW(c.send(large), std::length_error);
  };
  say(client, "1\n2\n3\n");
  EXPECT_EQ(hearBytes(client, 14), "HEAD:1\nHEAD:3\n");
}

TEST_F(StumblingTest, ALastMessageThatCannotBeEncodedClosesAllTheSame) {
  TcpConnection& connection = accept(client);
  EXPECT_THROW(connection.close("bad"), std::length_error);
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(hear(client), "");
}

// ---- Backpressure

TEST_F(TcpConnectionTest, P17_ASlowReaderIsToldOnceAndLosesNothingAccepted) {
  TcpConnection& connection = accept(client);
  const std::string piece(16 * 1024 - 1, 'p');
  std::size_t accepted = 0;
  SendResult result{};
  while ((result = connection.send(piece)) != SendResult::kDropped) ++accepted;
  EXPECT_EQ(handler.count("full"), 1u);
  EXPECT_TRUE(connection.bufferFull());
  EXPECT_LE(connection.sendQueueSize(), connection.maxSendBufferSize());
  EXPECT_GE(counters.sendFailures.get(), 1u);
  EXPECT_EQ(handler.count("drain"), 0u);
  const std::string heard = hearBytes(client, accepted * (piece.size() + 1));
  EXPECT_EQ(heard.size(), accepted * (piece.size() + 1));
  EXPECT_TRUE(until([&] { return handler.count("drain") == 1; }));
  EXPECT_EQ(handler.count("full"), 1u);
  EXPECT_EQ(connection.send("again"), SendResult::kSent);
}

TEST_F(TcpConnectionTest, W15_AMessageThatCrossesTheMarkIsKeptWhole) {
  TcpConnection& connection = accept(client);
  const std::string huge(5'000'000, 'h');
  EXPECT_EQ(connection.send(huge), SendResult::kQueued);
  EXPECT_EQ(handler.count("full"), 1u);
  EXPECT_EQ(connection.send("more"), SendResult::kDropped);
  EXPECT_EQ(hearBytes(client, huge.size() + 1), huge + "\n");
}

TEST_F(TcpConnectionTest, P35_PausedMessagesWaitAndComeInOrder) {
  TcpConnection& connection = accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    if (m.data() == "stop") c.pauseRecv();
  };
  say(client, "one\nstop\ntwo\nthree\npart");
  ASSERT_TRUE(until([&] { return connection.paused(); }));
  say(client, "ial\n");
  turn(*loop);
  EXPECT_EQ(handler.messages, (Strings{"one", "stop"}));
  connection.resumeRecv();
  EXPECT_EQ(handler.messages.size(), 2u) << "not inside resumeRecv()";
  ASSERT_TRUE(until([&] { return handler.messages.size() == 5; }));
  EXPECT_EQ(handler.messages,
            (Strings{"one", "stop", "two", "three", "partial"}));
}

void pauseAtStop(TcpConnection& connection, const Message& message) {
  if (message.data() == "stop") connection.pauseRecv();
}

TEST_F(TcpConnectionTest, APeerThatEndsWhileItIsPausedIsToldAhead) {
  TcpConnection& connection = accept(client);
  handler.message = pauseAtStop;
  say(client, "stop\n");
  ASSERT_TRUE(until([&] { return connection.paused(); }));
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return handler.count("end ahead") == 1; }));
  for (int i = 0; i < 3; ++i) turn(*loop);
  EXPECT_EQ(handler.events, (Strings{"connect", "end ahead"}));
  EXPECT_EQ(connection.send("answer"), SendResult::kSent);
  EXPECT_EQ(hearBytes(client, 7), "answer\n");
  connection.resumeRecv();
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.events, (Strings{"connect", "end ahead", "end", "close"}));
}

TEST_F(TcpConnectionTest, P14_TheEndIsNotToldAheadOfMessagesThatWait) {
  for (const bool received : {true, false}) {
    handler.events.clear();
    handler.messages.clear();
    TcpConnection& connection = accept(client);
    handler.message = pauseAtStop;
    say(client, received ? "stop\none\n" : "stop\n");
    ASSERT_TRUE(until([&] { return connection.paused(); }));
    if (!received) say(client, "one\n");
    ::shutdown(client.get(), SHUT_WR);
    for (int i = 0; i < 3; ++i) turn(*loop);
    EXPECT_EQ(handler.events, Strings{"connect"});
    connection.resumeRecv();
    ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
    EXPECT_EQ(handler.messages, (Strings{"stop", "one"}));
    EXPECT_EQ(handler.events, (Strings{"connect", "end", "close"}));
  }
}

// As while it is not paused: no error, for nothing waits to be sent.
TEST_F(TcpConnectionTest, AResetClosesAPausedConnection) {
  TcpConnection& connection = accept(client);
  handler.message = pauseAtStop;
  say(client, "stop\n");
  ASSERT_TRUE(until([&] { return connection.paused(); }));
  // A socket that is closed with bytes unread resets its peer.
  EXPECT_EQ(connection.send("never read"), SendResult::kSent);
  client.reset();
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_EQ(handler.events, (Strings{"connect", "close"}));
}

TEST_F(TcpConnectionTest, EchoWithPausesLosesNothingToASlowReader) {
  useProtocol("tcp");
  limits.maxSendBufferSize = 64 * 1024;
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) {
    EXPECT_NE(c.send(m), SendResult::kDropped);
  };
  handler.full = [](TcpConnection& c) { c.pauseRecv(); };
  handler.drain = [](TcpConnection& c) { c.resumeRecv(); };
  std::string sent(4'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent[i] = static_cast<char>(i * 7 % 251);
  }
  std::size_t said = 0;
  std::string heard;
  ASSERT_TRUE(until([&] {
    const ssize_t n = ::send(client.get(), sent.data() + said,
                             sent.size() - said, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) said += static_cast<std::size_t>(n);
    // Reads only when nothing more can be said: the queue fills every time.
    if (n < 0 || said == sent.size()) heard += hear(client);
    return heard.size() == sent.size();
  }));
  EXPECT_EQ(heard, sent);
  EXPECT_GE(handler.count("full"), 1u);
}

// ---- Facts and context

TEST_F(TcpConnectionTest, P38_TheContextKeepsItsTypeAndDiesAfterOnClose) {
  struct Counted {
    std::shared_ptr<int> alive = std::make_shared<int>(1);
  };
  TcpConnection& connection = accept(client);
  const std::weak_ptr<int> watch = connection.context<Counted>().alive;
  EXPECT_THROW(connection.context<int>(), std::bad_cast);
  handler.close = [](TcpConnection& c) {
    EXPECT_TRUE(c.context<Counted>().alive);
  };
  connection.destroy();
  ASSERT_TRUE(until([&] { return handler.count("close") == 1; }));
  EXPECT_TRUE(watch.expired());
}

TEST_F(TcpConnectionTest, P35_BytesAreCountedBothWays) {
  TcpConnection& connection = accept(client);
  handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  say(client, "12345\n");
  hearBytes(client, 6);
  EXPECT_EQ(connection.bytesRead(), 6u);
  EXPECT_EQ(connection.bytesWritten(), 6u);
}

// ---- A transport that does badly what a kernel may do

class FaultyTransport final : public detail::Transport {
 public:
  ssize_t receive(int fd, char* data, std::size_t size) override {
    return plain_.receive(fd, data, std::min(size, maxReceive));
  }
  ssize_t peek(int fd) override { return plain_.peek(fd); }
  ssize_t send(int fd, std::span<const iovec> pieces) override {
    if (calls++ == failAt) return -failWith;
    const iovec first{pieces[0].iov_base, std::min(pieces[0].iov_len, maxSend)};
    return plain_.send(fd, {&first, 1});
  }
  ssize_t sendFile(int fd, int file, off_t offset, std::size_t count) override {
    if (calls++ == failAt) return -failWith;
    return plain_.sendFile(fd, file, offset, std::min(count, maxSend));
  }
  std::size_t maxReceive = 1;
  std::size_t maxSend = 1;
  int calls = 0;
  int failAt = -1;
  int failWith = EPIPE;

 private:
  detail::PlainTransport plain_;
};

TEST_F(TcpConnectionTest, ShortReadsAndWritesChangeNothing) {
  FaultyTransport transport;
  useTransport(transport);
  accept(client);
  handler.message = [](TcpConnection& c, const Message& m) { c.send(m); };
  say(client, "hello\nworld\n");
  EXPECT_EQ(hearBytes(client, 12), "hello\nworld\n");
  EXPECT_EQ(handler.messages, (Strings{"hello", "world"}));
}

TEST_F(TcpConnectionTest, P14_P15_AFailingSendIsAnErrorThenOneClose) {
  for (int nth = 0; nth < 4; ++nth) {
    FaultyTransport transport;
    transport.maxReceive = 100;
    transport.failAt = nth;
    handler.events.clear();
    RecordingHandler local;
    ConnectionTable own(*loop, local, ProtocolRegistry().find("text"), {},
                        counters, &transport);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const FileDescriptor peer(ends[1]);
    own.adopt(FileDescriptor(ends[0]), Endpoint());
    local.message = [](TcpConnection& c, const Message& m) { c.send(m); };
    say(peer, "12345\n");
    ASSERT_TRUE(until([&] { return local.count("close") == 1; })) << nth;
    EXPECT_EQ(local.events, (Strings{"connect", "error", "close"})) << nth;
    EXPECT_EQ(local.lastCode, ErrorCode::kSendFailed);
    EXPECT_EQ(local.lastReason, "Broken pipe");
  }
}

TEST_F(TcpConnectionTest, ASendThatTakesNothingIsQueued) {
  FaultyTransport transport;
  transport.failAt = 0;
  transport.failWith = EAGAIN;
  transport.maxSend = 100;
  useTransport(transport);
  TcpConnection& connection = accept(client);
  EXPECT_EQ(connection.send("later"), SendResult::kQueued);
  EXPECT_EQ(hearBytes(client, 6), "later\n");
}

}  // namespace
}  // namespace brigade::test
