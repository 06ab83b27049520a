// What brigade's parser takes, llhttp in strict mode takes in the same way, in
// requests that are right, and in those that chance made of them.

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/HttpOracle.h"

namespace brigade {
namespace {

#ifdef BRIGADE_LLHTTP

using testing::disagreementOn;

const std::vector<std::string> kStreams = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
    "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\nA;b=c\r\n, world...\r\n0\r\nX: y\r\n\r\n"
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET http://a/b HTTP/1.1\r\nHost: a\r\nA:\t b\tc \r\nB:\r\n\r\n",
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    "Content-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
};

// What smugglers change.
const std::vector<std::string_view> kPieces = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "0",
    "1",
    "+",
    "-",
    "0\r\n\r\n",
    "Content-Length: 3\r\n",
    "Content-Length",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding",
    "chunked",
    ", chunked",
    "chunked, ",
    "\x0B",
    "\x0C",
    std::string_view("\0", 1),
    "\x7F",
    "\x80",
    "\xFF",
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/1.2",
    "Host: b\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, upgrade\r\n",
    "Upgrade: x\r\n",
    " \r\n",
    "#",
    "?",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n"};

class Mutator {
 public:
  std::string mutated(std::string stream) {
    for (std::size_t i = 0; i <= below(3); ++i) change(stream);
    return stream;
  }
  std::size_t below(std::size_t end) { return random_() % end; }

 private:
  void change(std::string& stream) {
    const std::size_t at = below(stream.size() + 1);
    const std::string_view piece = kPieces[below(kPieces.size())];
    switch (below(5)) {
      case 0:
        stream.insert(at, piece);
        break;
      case 1:
        stream.replace(at, below(4), piece);
        break;
      case 2:
        stream.erase(at, 1 + below(3));
        break;
      case 3:
        stream.insert(at, 1, static_cast<char>(below(256)));
        break;
      default:
        stream.insert(at, stream.substr(below(stream.size() + 1), below(24)));
    }
  }

  std::minstd_rand random_{7};
};

TEST(HttpDifferential, WhatIsRightIsReadAlike) {
  for (const std::string& stream : kStreams) {
    EXPECT_EQ(disagreementOn(stream), "") << ::testing::PrintToString(stream);
  }
}

TEST(HttpDifferential, WhatChanceMadeOfItIsNotReadInAnotherWay) {
  Mutator mutator;
  for (int i = 0; i < 300'000; ++i) {
    const std::string stream =
        mutator.mutated(kStreams[mutator.below(kStreams.size())]);
    ASSERT_EQ(disagreementOn(stream), "") << ::testing::PrintToString(stream);
  }
}

#else

TEST(HttpDifferential, WhatIsRightIsReadAlike) {
  GTEST_SKIP() << "built without llhttp (Debian: node-llhttp)";
}

#endif

}  // namespace
}  // namespace brigade
