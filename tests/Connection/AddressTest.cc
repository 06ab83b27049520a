#include "brigade/Connection/Address.h"

#include <gtest/gtest.h>

namespace brigade {
namespace {

TEST(AddressTest, GoodAddressesAreTakenApart) {
  struct Case {
    const char* text;
    const char* protocol;
    Address::Family family;
    const char* hostOrPath;
    int port;
  };
  for (const Case& c : {
           Case{"text://0.0.0.0:5678", "text", Address::Family::kTcp, "0.0.0.0",
                5678},
           Case{"tcp://[::]:80", "tcp", Address::Family::kTcp, "::", 80},
           Case{"tcp://[::1]:0", "tcp", Address::Family::kTcp, "::1", 0},
           Case{"frame://localhost:65535", "frame", Address::Family::kTcp,
                "localhost", 65535},
           Case{"unix:///run/a.sock", "unix", Address::Family::kUnix,
                "/run/a.sock", 0},
           Case{"text+unix:///run/a b.sock", "text", Address::Family::kUnix,
                "/run/a b.sock", 0},
       }) {
    const Address address = Address::parse(c.text);
    EXPECT_EQ(address.protocol, c.protocol) << c.text;
    EXPECT_EQ(address.family, c.family) << c.text;
    EXPECT_EQ(
        address.family == Address::Family::kUnix ? address.path : address.host,
        c.hostOrPath);
    EXPECT_EQ(address.port, c.port) << c.text;
    EXPECT_EQ(address.toString(), c.text);
  }
}

TEST(AddressTest, BadAddressesAreRefusedByName) {
  for (const char* text :
       {"", "text", "://x:1", "text:/0.0.0.0:1", "text://", "text://:1",
        "text://host", "text://host:", "text://host:x", "text://host:65536",
        "text://host:-1", "text://::1:80", "text://[::1:80", "text://[::1]",
        "text+ssl://host:1", "text+://host:1", "+unix:///x", "unix://relative",
        "text+unix://"}) {
    try {
      Address::parse(text);
      FAIL() << text << " was taken";
    } catch (const BadAddress& e) {
      EXPECT_NE(std::string(e.what()).find("'" + std::string(text) + "'"),
                std::string::npos)
          << e.what();
    }
  }
}

}  // namespace
}  // namespace brigade
