// Connections piped into each other.

#include "brigade/Connection/TcpConnection.h"

#include <stdexcept>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

class TcpConnectionPipeTest : public ConnectionFixture {
 protected:
  FileDescriptor client;
};

TEST_F(TcpConnectionPipeTest, P17_APipeCarriesEverythingAndPausesItsSource) {
  useProtocol("tcp");
  limits.maxSendBufferSize = 64 * 1024;
  FileDescriptor to;
  TcpConnection& source = accept(client);
  source.pipe(accept(to));
  const std::string bytes(2'000'000, 'b');
  std::size_t said = 0;
  bool paused = false;
  std::string heard;
  ASSERT_TRUE(until([&] {
    const ssize_t n = ::send(client.get(), bytes.data() + said,
                             bytes.size() - said, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) said += static_cast<std::size_t>(n);
    paused = paused || source.paused();
    if (paused) heard += hear(to);
    return heard.size() == bytes.size();
  }));
  EXPECT_EQ(heard, bytes);
  EXPECT_TRUE(handler.messages.empty());
}

TEST_F(TcpConnectionPipeTest, ThePipesTargetClosesAfterTheLastMessage) {
  FileDescriptor to;
  TcpConnection& source = accept(client);
  source.pipe(accept(to));
  say(client, "last words\n");
  client.reset();
  EXPECT_EQ(hearBytes(to, 11), "last words\n");
  EXPECT_TRUE(until([&] { return atEnd(to); }));
  EXPECT_TRUE(until([&] { return handler.count("close") == 2; }));
}

TEST_F(TcpConnectionPipeTest, AHalfClosedPipeStillCarriesTheAnswer) {
  FileDescriptor to;
  TcpConnection& source = accept(client);
  TcpConnection& target = accept(to);
  source.pipe(target);
  target.pipe(source);
  say(client, "question\n");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(hearBytes(to, 9), "question\n");
  ASSERT_TRUE(until([&] { return atEnd(to); }));
  say(to, "answer\n");
  to.reset();
  EXPECT_EQ(hearBytes(client, 7), "answer\n");
  EXPECT_TRUE(until([&] { return handler.count("close") == 2; }));
}

TEST_F(TcpConnectionPipeTest, AConnectionIsTheTargetOfOnePipeOnly) {
  FileDescriptor first, second;
  TcpConnection& target = accept(client);
  accept(first).pipe(target);
  EXPECT_THROW(accept(second).pipe(target), std::logic_error);
}

TEST_F(TcpConnectionPipeTest, APipeIntoAFullConnectionWaits) {
  FileDescriptor from;
  TcpConnection& target = accept(client);
  TcpConnection& source = accept(from);
  while (target.send(std::string(16 * 1024, 'x')) != SendResult::kDropped) {
  }
  source.pipe(target);
  say(from, "first\n");
  turn(*loop);
  std::string all;
  ASSERT_TRUE(until([&] {
    all += hear(client);
    return all.ends_with("first\n");
  }));
}

}  // namespace
}  // namespace brigade::test
