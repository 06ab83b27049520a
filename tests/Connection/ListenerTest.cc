#include "brigade/Connection/Listener.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "brigade/Connection/Address.h"
#include "tests/support/TempDirectory.h"

namespace brigade {
namespace {

class ListenerTest : public ::testing::Test {
 protected:
  std::string path(const char* name) const { return directory_ / name; }
  static bool connects(const Address& address) {
    if (address.family == Address::Family::kUnix) {
      sockaddr_un un{};
      un.sun_family = AF_UNIX;
      std::strcpy(un.sun_path, address.path.c_str());
      return connects(AF_UNIX, reinterpret_cast<sockaddr*>(&un), sizeof un);
    }
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connects(AF_INET, reinterpret_cast<sockaddr*>(&in), sizeof in);
  }
  static bool connects(int family, const sockaddr* address, socklen_t length) {
    const FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), address, length) == 0;
  }
  static std::string errorOf(const Address& address) {
    try {
      Listener::open(address, {});
    } catch (const CannotListen& e) {
      return e.what();
    }
    return "";
  }

 private:
  test::TempDirectory directory_;
};

TEST_F(ListenerTest, TheKernelPicksAPortAndTheAddressTells) {
  const Listener listener =
      Listener::open(Address::parse("tcp://127.0.0.1:0"), {});
  EXPECT_NE(listener.address().port, 0);
  EXPECT_TRUE(connects(listener.address()));
}

TEST_F(ListenerTest, IPv6AnyTakesIPv4AsWell) {
  const Listener listener = Listener::open(Address::parse("tcp://[::]:0"), {});
  EXPECT_TRUE(connects(listener.address()));
}

TEST_F(ListenerTest, ATakenPortIsRefusedWithAddressAndReason) {
  const Listener first =
      Listener::open(Address::parse("tcp://127.0.0.1:0"), {});
  EXPECT_EQ(errorOf(first.address()), "cannot listen on " +
                                          first.address().toString() +
                                          ": Address already in use");
}

TEST_F(ListenerTest, AGroupSharesOnePortOfItsOwn) {
  const auto group =
      Listener::openGroup(Address::parse("tcp://127.0.0.1:0"), {}, 4);
  ASSERT_EQ(group.size(), 4u);
  for (const Listener& listener : group) {
    EXPECT_EQ(listener.address().port, group[0].address().port);
  }
}

TEST_F(ListenerTest, AGroupDoesNotSlipInBesideAnotherServer) {
  const Address any = Address::parse("tcp://127.0.0.1:0");
  const auto first = Listener::openGroup(any, {}, 2);
  EXPECT_THROW(Listener::openGroup(first[0].address(), {}, 2), CannotListen);
}

// How many connections wait in the queue of each.
std::vector<int> queuesOf(const std::vector<Listener>& group) {
  std::vector<int> counts;
  for (const Listener& listener : group) {
    counts.push_back(0);
    while (FileDescriptor(::accept(listener.fd(), nullptr, nullptr))) {
      ++counts.back();
    }
  }
  return counts;
}

int optionOf(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &length), 0);
  return value;
}

// What `ss -tln` shows: the kernel tells a listener's limit in the place of
// another figure (tcp_get_info in net/ipv4/tcp.c).
unsigned backlogOf(const Listener& listener) {
  tcp_info info{};
  socklen_t length = sizeof info;
  EXPECT_EQ(::getsockopt(listener.fd(), IPPROTO_TCP, TCP_INFO, &info, &length),
            0);
  return info.tcpi_sacked;
}

TEST_F(ListenerTest, P30_EverySocketHasTheBacklogThatWasAskedFor) {
  ListenOptions options;
  options.backlog = 7;
  auto group =
      Listener::openGroup(Address::parse("tcp://127.0.0.1:0"), options, 2);
  for (Listener& more : Listener::joinGroup(group[0], options, 1)) {
    group.push_back(std::move(more));
  }
  group.push_back(Listener::open(Address::parse("tcp://[::]:0"), options));
  for (const Listener& listener : group) EXPECT_EQ(backlogOf(listener), 7u);
}

TEST_F(ListenerTest, P30_ASocketThatListensTakesOtherOptions) {
  ListenOptions options;
  options.keepAlive = std::chrono::seconds(60);
  Listener listener =
      Listener::open(Address::parse("tcp://127.0.0.1:0"), options);
  options.backlog = 7;
  options.noDelay = false;
  options.keepAlive = {};
  listener.apply(options);
  EXPECT_EQ(backlogOf(listener), 7u);
  EXPECT_EQ(optionOf(listener.fd(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(optionOf(listener.fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_TRUE(connects(listener.address()));
}

TEST_F(ListenerTest, OnlyItsOwnFileGetsAnotherMode) {
  const test::TempDirectory folder;
  const std::string path = folder.name() + "/socket";
  const auto modeOf = [&] {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  };
  Listener listener = Listener::open(Address::parse("tcp+unix://" + path), {});
  ListenOptions options;
  options.mode = 0600;
  listener.apply(options);
  EXPECT_EQ(modeOf(), 0600u);
  std::filesystem::remove(path);
  std::ofstream{path};
  ::chmod(path.c_str(), 0644);
  listener.apply(options);
  EXPECT_EQ(modeOf(), 0644u);
}

TEST_F(ListenerTest, P30_ThePortOfAConnectionThatHasJustEndedIsFree) {
  Address address = Address::parse("tcp://127.0.0.1:0");
  {
    const Listener listener = Listener::open(address, {});
    address = listener.address();
    EXPECT_EQ(optionOf(listener.fd(), SOL_SOCKET, SO_REUSEADDR), 1);
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FileDescriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        ::connect(client.get(), reinterpret_cast<sockaddr*>(&in), sizeof in),
        0);
    FileDescriptor server(::accept(listener.fd(), nullptr, nullptr));
    ASSERT_TRUE(server);
    // Whoever closes first has it in TIME_WAIT for a minute.
    server.reset();
    char byte = 0;
    EXPECT_EQ(::read(client.get(), &byte, 1), 0);
  }
  EXPECT_EQ(errorOf(address), "");
}

TEST_F(ListenerTest, P04_AGroupTakesMoreSockets) {
  auto group = Listener::openGroup(Address::parse("tcp://127.0.0.1:0"), {}, 1);
  for (Listener& more : Listener::joinGroup(group[0], {}, 2)) {
    group.push_back(std::move(more));
  }
  ASSERT_EQ(group.size(), 3u);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(connects(group[0].address()));
  for (const int count : queuesOf(group)) EXPECT_GT(count, 0);
}

TEST_F(ListenerTest, P04_ASteeredGroupGivesNewConnectionsToItsFirstOnly) {
  auto group = Listener::openGroup(Address::parse("tcp://127.0.0.1:0"), {}, 4);
  Listener::steerGroup(group[0], 2);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(connects(group[0].address()));
  const auto two = queuesOf(group);
  EXPECT_GT(two[0], 0);
  EXPECT_GT(two[1], 0);
  EXPECT_EQ(two[2] + two[3], 0);
  // Those that get none may go; then others may come.
  group.erase(group.begin() + 2, group.end());
  for (Listener& more : Listener::joinGroup(group[0], {}, 1)) {
    group.push_back(std::move(more));
  }
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(connects(group[0].address()));
  EXPECT_EQ(queuesOf(group)[2], 0);
  Listener::steerGroup(group[0], 3);
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(connects(group[0].address()));
  for (const int count : queuesOf(group)) EXPECT_GT(count, 0);
}

// Connects from 127.0.0.`host`, or ::1 for 0.
bool connectsFrom(unsigned host, std::uint16_t port) {
  if (host == 0) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_addr = in6addr_loopback;
    const FileDescriptor fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) ==
           0;
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl((127U << 24) | host);
  const FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) != 0) {
    return false;
  }
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0;
}

TEST_F(ListenerTest, T20_AClientsAddressDecidesWhichSocketGetsIt) {
  auto group = Listener::openGroup(Address::parse("tcp://[::]:0"), {}, 4);
  const std::uint16_t port = group[0].address().port;
  Listener::steerGroup(group[0], 4, Steering::kByAddress);
  std::vector<int> clients(4);  // of each socket
  for (unsigned host = 0; host < 100; ++host) {
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(connectsFrom(host, port));
    const auto counts = queuesOf(group);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(counts[i] == 0 || counts[i] == 4)
          << "client " << host << ", socket " << i << ": " << counts[i];
      clients[i] += counts[i] / 4;
    }
  }
  for (const int count : clients) EXPECT_GT(count, 10) << "of 100 clients";
}

TEST_F(ListenerTest, T20_OfASteeredGroupTheFirstSocketsGetAllClients) {
  auto group = Listener::openGroup(Address::parse("tcp://127.0.0.1:0"), {}, 3);
  const std::uint16_t port = group[0].address().port;
  Listener::steerGroup(group[0], 2, Steering::kByAddress);
  for (unsigned host = 1; host < 100; ++host) {
    ASSERT_TRUE(connectsFrom(host, port));
  }
  const auto counts = queuesOf(group);
  EXPECT_GT(counts[0], 20);
  EXPECT_GT(counts[1], 20);
  EXPECT_EQ(counts[2], 0);
}

TEST_F(ListenerTest, AUnixSocketIsNotSteered) {
  const Address address = Address::parse("tcp+unix://" + path("s.sock"));
  auto group = Listener::openGroup(address, {}, 1);
  Listener::steerGroup(group[0], 1);
  EXPECT_EQ(Listener::joinGroup(group[0], {}, 2).size(), 2u);
  EXPECT_TRUE(connects(address));
}

TEST_F(ListenerTest, AHostThatDoesNotExistIsNamed) {
  const std::string error = errorOf(Address::parse("tcp://256.1.1.1:80"));
  EXPECT_NE(error.find("tcp://256.1.1.1:80"), std::string::npos) << error;
}

TEST_F(ListenerTest, AUnixSocketHasTheModeAskedFor) {
  ListenOptions options;
  options.mode = 0600;
  const Address address = Address::parse("tcp+unix://" + path("a.sock"));
  Listener listener = Listener::open(address, options);
  struct stat info {};
  ASSERT_EQ(::stat(address.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_TRUE(connects(address));
  listener.removeFile();
  EXPECT_FALSE(std::filesystem::exists(address.path));
}

TEST_F(ListenerTest, AStaleSocketFileIsReplaced) {
  const Address address = Address::parse("tcp+unix://" + path("stale.sock"));
  { const Listener dead = Listener::open(address, {}); }
  ASSERT_TRUE(std::filesystem::exists(address.path));
  const Listener listener = Listener::open(address, {});
  EXPECT_TRUE(connects(address));
}

TEST_F(ListenerTest, ALiveSocketFileIsNot) {
  const Address address = Address::parse("tcp+unix://" + path("live.sock"));
  const Listener live = Listener::open(address, {});
  EXPECT_NE(errorOf(address).find("Address already in use"), std::string::npos);
  EXPECT_TRUE(connects(address));
}

TEST_F(ListenerTest, AnotherFileIsNeverReplaced) {
  const Address address = Address::parse("tcp+unix://" + path("file"));
  std::filesystem::create_directory(address.path);
  EXPECT_NE(errorOf(address), "");
  EXPECT_TRUE(std::filesystem::is_directory(address.path));
}

TEST_F(ListenerTest, ARegularFileStaysWithItsContent) {
  const Address address = Address::parse("tcp+unix://" + path("app.db"));
  std::ofstream(address.path) << "precious";
  EXPECT_NE(errorOf(address).find("app.db: Address already in use"),
            std::string::npos)
      << errorOf(address);
  std::ifstream file(address.path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "precious");
}

TEST_F(ListenerTest, ASuccessorsSocketFileIsNotRemoved) {
  const Address address = Address::parse("tcp+unix://" + path("moved.sock"));
  Listener first = Listener::open(address, {});
  std::filesystem::remove(address.path);
  const Listener second = Listener::open(address, {});
  first.removeFile();
  EXPECT_TRUE(std::filesystem::exists(address.path));
}

TEST_F(ListenerTest, APathTooLongIsNamed) {
  const std::string error =
      errorOf(Address::parse("unix:///" + std::string(120, 'x')));
  EXPECT_NE(error.find("longer than 107 bytes"), std::string::npos) << error;
}

}  // namespace
}  // namespace brigade
