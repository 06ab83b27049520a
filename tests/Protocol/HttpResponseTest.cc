#include "brigade/Protocol/HttpResponse.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace brigade {
namespace {

std::string refusalOf(std::string_view name, std::string_view value) {
  HttpResponse response;
  try {
    response.set(name, value);
  } catch (const std::invalid_argument& e) {
    EXPECT_EQ(response.fields(), "");
    return e.what();
  }
  return "";
}

TEST(HttpResponse, FieldsAreSentInTheOrderTheyWereAdded) {
  const HttpResponse response =
      HttpResponse{201}.set("A", "1").add("B", "2").add("A", "");
  EXPECT_EQ(response.status(), 201U);
  EXPECT_EQ(response.fields(), "A: 1\r\nB: 2\r\nA: \r\n");
  EXPECT_EQ(response.header("b"), "2");
  EXPECT_EQ(response.header("c"), std::nullopt);
}

TEST(HttpResponse, SetReplacesEveryFieldOfThatName) {
  HttpResponse response;
  response.add("A", "1").add("B", "2").add("a", "3");
  response.set("A", std::string(response.header("B").value()) + "!");
  EXPECT_EQ(response.fields(), "B: 2\r\nA: 2!\r\n");
  response.set("A", *response.header("B"));
  EXPECT_EQ(response.fields(), "B: 2\r\nA: 2\r\n");
}

TEST(HttpResponse, ManyAndLongFieldsFitAsWell) {
  HttpResponse response;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "Field-" + std::to_string(i);
    response.add(name, std::string(static_cast<std::size_t>(i), 'x'));
    expected +=
        name + ": " + std::string(static_cast<std::size_t>(i), 'x') + "\r\n";
  }
  EXPECT_EQ(response.fields(), expected);
  const HttpResponse copy = response;
  EXPECT_EQ(copy.fields(), expected);
  response.set("Field-99", "short");
  EXPECT_EQ(response.header("Field-99"), "short");
  EXPECT_EQ(response.header("Field-98"), std::string(98, 'x'));
}

TEST(HttpResponse, AFieldOfItsOwnMayBeAddedAgainWhenItNoLongerFits) {
  HttpResponse response;
  response.add("A", std::string(200, 'x'));
  response.add("B", *response.header("A"));
  response.add("C", *response.header("B"));
  EXPECT_EQ(response.header("C"), std::string(200, 'x'));
}

TEST(HttpResponse, NoFieldSplitsTheResponse) {
  // RFC 9110, 5.5 and 17.
  EXPECT_EQ(refusalOf("X", "a\r\nSet-Cookie: b"),
            "HttpResponse: a control character in the field X");
  EXPECT_NE(refusalOf("X", "a\nb"), "");
  EXPECT_NE(refusalOf("X", "a\rb"), "");
  EXPECT_NE(refusalOf("X", std::string_view("\0", 1)), "");
  EXPECT_NE(refusalOf("X", "\x7F"), "");
  EXPECT_EQ(refusalOf("X", "a\tb \xFF"), "");
  EXPECT_EQ(refusalOf("X Y", "a"), "HttpResponse: 'X Y' is no field name");
  EXPECT_NE(refusalOf("", "a"), "");
  EXPECT_NE(refusalOf("X:", "a"), "");
  EXPECT_NE(refusalOf("X\r\n", "a"), "");
}

TEST(HttpResponse, FramingIsTheServers) {
  EXPECT_EQ(refusalOf("content-length", "5"),
            "HttpResponse: the field content-length is written by the server");
  EXPECT_NE(refusalOf("Transfer-Encoding", "chunked"), "");
  EXPECT_NE(refusalOf("CONNECTION", "close"), "");
}

TEST(HttpResponse, AStatusHasThreeDigits) {
  EXPECT_THROW(HttpResponse{99}, std::invalid_argument);
  EXPECT_THROW(HttpResponse{600}, std::invalid_argument);
  EXPECT_EQ(HttpResponse{599}.status(), 599U);
  EXPECT_EQ(httpReason(404), "Not Found");
  EXPECT_EQ(httpReason(599), "");
  EXPECT_EQ(httpReason(7), "");
}

TEST(HttpResponse, MakersSetTheContentType) {
  EXPECT_EQ(HttpResponse::text("a").header("Content-Type"),
            "text/plain; charset=utf-8");
  EXPECT_EQ(HttpResponse::html("<p>", 404).status(), 404U);
  EXPECT_EQ(HttpResponse::json("{}").header("Content-Type"),
            "application/json");
  EXPECT_EQ(HttpResponse::json("{}").body(), "{}");
  const HttpResponse moved = HttpResponse::redirect("/a", 301);
  EXPECT_EQ(moved.status(), 301U);
  EXPECT_EQ(moved.header("Location"), "/a");
  EXPECT_THROW(HttpResponse::redirect("/a\r\nX: y"), std::invalid_argument);
  EXPECT_EQ(HttpResponse::file("/x/y").filePath(), "/x/y");
}

TEST(HttpResponse, ABodyIsOwnedOrViewed) {
  const std::string text(100, 'x');
  HttpResponse response = HttpResponse{}.body(text);
  EXPECT_NE(response.body().data(), text.data());
  const HttpResponse copy = response;
  response.bodyView(text);
  EXPECT_EQ(response.body().data(), text.data());
  response.body("own");
  EXPECT_EQ(response.body(), "own");
  EXPECT_EQ(copy.body(), text);
}

std::string setCookie(const HttpCookie& cookie) {
  return std::string(
      HttpResponse{}.cookie(cookie).header("Set-Cookie").value());
}

TEST(HttpResponse, CookiesHaveAllAttributes) {
  // RFC 6265, 4.1.
  EXPECT_EQ(setCookie({.name = "a", .value = "b"}), "a=b");
  EXPECT_EQ(setCookie({.name = "a"}), "a=");
  EXPECT_EQ(setCookie({.name = "a",
                       .value = "\"b\"",
                       .path = "/x",
                       .domain = "example.org",
                       .maxAge = 0,
                       .expires = 784111777,
                       .secure = true,
                       .httpOnly = true,
                       .sameSite = HttpCookie::SameSite::kStrict}),
            "a=\"b\"; Path=/x; Domain=example.org; Max-Age=0; "
            "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; "
            "SameSite=Strict");
  const HttpResponse two =
      HttpResponse{}.cookie({.name = "a"}).cookie({.name = "b"});
  EXPECT_EQ(two.fields(), "Set-Cookie: a=\r\nSet-Cookie: b=\r\n");
}

TEST(HttpResponse, ACookieThatIsNoneIsNamed) {
  const auto bad = [](const HttpCookie& cookie) {
    EXPECT_THROW(setCookie(cookie), std::invalid_argument);
  };
  bad({.name = ""});
  bad({.name = "a b"});
  bad({.name = "a", .value = "b;c"});
  bad({.name = "a", .value = "b c"});
  bad({.name = "a", .value = "b\r\n"});
  bad({.name = "a", .value = "\"b"});
  bad({.name = "a", .value = "\xC3\xA4"});
  bad({.name = "a", .path = "/;x"});
  bad({.name = "a", .domain = "x\n"});
}

}  // namespace
}  // namespace brigade
