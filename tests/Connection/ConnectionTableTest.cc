#include "brigade/Connection/ConnectionTable.h"

#include <stdexcept>

#include <sys/resource.h>

#include <algorithm>
#include <system_error>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

using ConnectionTableTest = ConnectionFixture;

TEST_F(ConnectionTableTest, EveryOpenConnectionIsVisitedAndMayBeClosed) {
  std::vector<FileDescriptor> clients(200);
  for (FileDescriptor& client : clients) accept(client);
  std::size_t visited = 0;
  table().forEach([&](TcpConnection& connection) {
    if (++visited % 2 == 0) connection.destroy();
  });
  EXPECT_EQ(visited, 200u);
  EXPECT_EQ(table().size(), 100u);
  EXPECT_EQ(counters.open.get(), 100u);
  EXPECT_TRUE(until([&] { return handler.count("close") == 100; }));
}

TEST_F(ConnectionTableTest, DestroyAllCallsOnCloseBeforeItReturns) {
  std::vector<FileDescriptor> clients(3);
  for (FileDescriptor& client : clients) accept(client);
  table().destroyAll();
  EXPECT_EQ(handler.count("close"), 3u);
  EXPECT_EQ(table().size(), 0u);
}

TEST_F(ConnectionTableTest, RoomIsReportedAfterAConnectionIsFreed) {
  FileDescriptor client;
  bool room = false;
  TcpConnection& connection = accept(client);
  table().setOnRoom([&] { room = true; });
  connection.destroy();
  EXPECT_FALSE(room);
  EXPECT_TRUE(until([&] { return room; }));
}

TEST_F(ConnectionTableTest, ASocketTheLoopRefusesIsClosedAndLeavesNoTrace) {
  loop = makeEventLoop("select");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit more = before;
  more.rlim_cur = std::min<rlim_t>(before.rlim_max, 4096);
  ::setrlimit(RLIMIT_NOFILE, &more);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const FileDescriptor peer(ends[1]);
  FileDescriptor high(::fcntl(ends[0], F_DUPFD_CLOEXEC, 1024));
  ::close(ends[0]);
  ASSERT_TRUE(high);
  EXPECT_THROW(table().adopt(std::move(high), Endpoint()), std::system_error);
  char byte;
  EXPECT_EQ(::recv(peer.get(), &byte, 1, MSG_DONTWAIT), 0) << "still open";
  EXPECT_EQ(table().size(), 0u);
  table().forEach([](TcpConnection&) { FAIL() << "a connection is left"; });
  EXPECT_EQ(counters.accepted.get(), 0u);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ConnectionTableTest, AFactoryThatThrowsCostsItsSocketOnly) {
  ConnectionTable own(
      *loop, handler,
      []() -> std::unique_ptr<ProtocolInterface> {
        throw std::runtime_error("no codec");
      },
      limits, counters);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const FileDescriptor client(ends[1]);
  EXPECT_THROW(own.adopt(FileDescriptor(ends[0]), Endpoint()),
               std::runtime_error);
  EXPECT_TRUE(atEnd(client));
  EXPECT_EQ(own.size(), 0u);
}

}  // namespace
}  // namespace brigade::test
