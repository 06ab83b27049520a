#include "brigade/Protocol/HttpRequest.h"

#include <gtest/gtest.h>

#include <string>

#include "brigade/Protocol/detail/HttpParser.h"

namespace brigade {
namespace {

TEST(HttpRequest, ParsesIntoViewsOfItsBytes) {
  const std::string head =
      "POST /a%20b?c=d HTTP/1.1\r\nHost: x:8\r\nX-A:  1 \r\nx-a: 2\r\n"
      "Content-Length: 3\r\n\r\n";
  HttpRequest request;
  detail::HttpParser::Resume resume;
  detail::HttpParser::parse(head, resume, {}, request);
  EXPECT_EQ(request.method(), "POST");
  EXPECT_EQ(request.target(), "/a%20b?c=d");
  EXPECT_EQ(request.path(), "/a%20b");
  EXPECT_EQ(request.query(), "c=d");
  EXPECT_EQ(request.host(), "x:8");
  EXPECT_EQ(request.minorVersion(), 1U);
  EXPECT_EQ(request.contentLength(), 3U);
  EXPECT_TRUE(request.keepAlive());
  EXPECT_EQ(request.headers().size(), 4U);
  EXPECT_EQ(request.header("X-a"), "1");
  EXPECT_EQ(request.header("X"), std::nullopt);
  EXPECT_EQ(request.path().data(), head.data() + 5);
}

}  // namespace
}  // namespace brigade
