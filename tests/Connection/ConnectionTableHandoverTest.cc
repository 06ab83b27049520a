// Ids over a hand-over: nobody gets one that somebody else has had.

#include <fcntl.h>

#include <set>
#include <stdexcept>

#include "tests/Connection/ConnectionFixture.h"

namespace brigade::test {
namespace {

class ConnectionTableHandoverTest : public ConnectionFixture {
 protected:
  static SavedConnection saved(std::uint32_t index, std::uint32_t generation) {
    SavedConnection connection;
    connection.id = {index, generation};
    return connection;
  }
  FileDescriptor socket() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    peers_.emplace_back(ends[1]);
    return FileDescriptor(ends[0]);
  }

 private:
  std::vector<FileDescriptor> peers_;
};

TEST_F(ConnectionTableHandoverTest, NewIdsAreAboveAllThatWereGivenBefore) {
  table().beginAbove(9);
  for (const std::uint32_t index : {200u, 3u, 64u}) {
    EXPECT_EQ(table().adopt(socket(), saved(index, 7)).id().index, index);
  }
  table().endAdopting();
  EXPECT_EQ(table().size(), 3u);
  std::set<std::uint32_t> places{200, 3, 64};
  for (int i = 0; i < 400; ++i) {
    FileDescriptor client;
    const ConnectionId id = accept(client).id();
    EXPECT_GT(id.generation, 9u);
    EXPECT_TRUE(places.insert(id.index).second) << id.index;
  }
  EXPECT_EQ(table().find({3, 7})->id(), (ConnectionId{3, 7}));
}

TEST_F(ConnectionTableHandoverTest, AnIdIsTakenOnce) {
  table().adopt(socket(), saved(5, 3));
  EXPECT_THROW(table().adopt(socket(), saved(5, 3)), std::logic_error);
  EXPECT_THROW(table().adopt(socket(), saved(6, 2)), std::logic_error);
  table().endAdopting();
  EXPECT_EQ(table().size(), 1u);
}

TEST_F(ConnectionTableHandoverTest, APausedOneThatWasHeldIsWatchedAgain) {
  FileDescriptor client;
  TcpConnection& connection = accept(client);
  connection.pauseRecv();
  table().hold();
  table().release();
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_TRUE(until([&] { return handler.count("end ahead") == 1; }));
}

TEST_F(ConnectionTableHandoverTest, WhatIsAwayWhenATableGoesIsFreed) {
  FileDescriptor client;
  TcpConnection& connection = accept(client);
  connection.context<std::string>() = std::string(1000, 'x');
  ASSERT_TRUE(table().detach(connection));
  EXPECT_EQ(handler.count("close"), 0u);
}

}  // namespace
}  // namespace brigade::test
