#include "brigade/Connection/Endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace brigade {
namespace {

Endpoint v6(const char* ip, std::uint16_t port) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  ::inet_pton(AF_INET6, ip, &in6.sin6_addr);
  sockaddr_storage storage{};
  std::memcpy(&storage, &in6, sizeof in6);
  return Endpoint(storage);
}

TEST(EndpointTest, NamesIpAndPort) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(4711);
  in.sin_addr.s_addr = htonl(0x7f000001);
  sockaddr_storage storage{};
  std::memcpy(&storage, &in, sizeof in);
  const Endpoint endpoint(storage);
  EXPECT_EQ(endpoint.toString(), "127.0.0.1:4711");
  EXPECT_EQ(endpoint.ip(), "127.0.0.1");
  EXPECT_EQ(endpoint.port(), 4711);
  EXPECT_EQ(v6("::1", 80).toString(), "[::1]:80");
}

TEST(EndpointTest, AnIpv4PeerOfADualStackListenerIsShownAsIpv4) {
  EXPECT_EQ(v6("::ffff:10.1.2.3", 99).toString(), "10.1.2.3:99");
}

TEST(EndpointTest, AUnixPeerHasNoIp) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  const Endpoint endpoint(storage);
  EXPECT_TRUE(endpoint.isUnix());
  EXPECT_EQ(endpoint.toString(), "unix");
  EXPECT_EQ(endpoint.ip(), "");
}

}  // namespace
}  // namespace brigade
