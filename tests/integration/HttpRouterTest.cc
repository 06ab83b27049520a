// HttpRouter, through a program that uses it.

#include "brigade/Worker/HttpRouter.h"

#include "tests/integration/WebTest.h"

namespace brigade::test {
namespace {

class HttpRouterTest : public WebTest {};

TEST_F(HttpRouterTest, FindsTheMostSpecificPattern) {
  program.start();
  WebClient client = connect();
  const std::pair<const char*, const char*> cases[] = {
      {"/users/me", "you"},           {"/users/42", "user 42"},
      {"/users/a%2Fb", "user a%2Fb"}, {"/users/me/mail/in", "me's in"},
      {"/files/a/b/c", "file a/b/c"}, {"/files/", "file "},
  };
  for (const auto& [path, body] : cases) {
    EXPECT_EQ(client.get(path).body, body) << path;
  }
}

TEST_F(HttpRouterTest, WhatItDoesNotKnowIs404) {
  program.start();
  WebClient client = connect();
  for (const char* path : {"/", "/users", "/users/", "/users/me/mail",
                           "/users/me/mail/", "/filesystem", "/files"}) {
    EXPECT_EQ(client.get(path).status, 404) << path;
  }
}

TEST_F(HttpRouterTest, AnotherMethodIs405WithThoseThatThereAre) {
  program.start();
  WebClient client = connect();
  ASSERT_TRUE(client.send("DELETE /users/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  const HttpAnswer refused = client.answer();
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("Allow"), "OPTIONS, GET, HEAD, PUT");
  ASSERT_TRUE(client.send("OPTIONS /users/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
  const HttpAnswer options = client.answer();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.field("Allow"), "OPTIONS, GET, HEAD, PUT");
}

TEST(HttpRouter, RefusesPatternsThatMakeNoSense) {
  HttpRouter router;
  const HttpRouter::Handler handler;
  EXPECT_THROW(router.add("GET", "no/slash", handler), std::invalid_argument);
  EXPECT_THROW(router.add("GET", "/a/*all/b", handler), std::invalid_argument);
  router.add("GET", "/a/:b", handler);
  EXPECT_THROW(router.add("GET", "/a/:c", handler), std::invalid_argument);
  EXPECT_NO_THROW(router.add("POST", "/a/:c", handler));
}

}  // namespace
}  // namespace brigade::test
