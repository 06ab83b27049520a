#include "brigade/Protocol/HttpEncoding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "brigade/Protocol/detail/HttpParser.h"

namespace brigade {
namespace {

bool accepts(const std::vector<std::string>& lines) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (const std::string& line : lines) {
    head += "accept-encoding: " + line + "\r\n";
  }
  head += "\r\n";
  HttpRequest request;
  detail::HttpParser::Resume resume;
  detail::HttpParser::parse(head, resume, {}, request);
  return acceptsGzip(request);
}

TEST(HttpEncodingTest, GzipIsSentToWhomItIsAcceptableTo) {
  // RFC 9110, 12.5.3.
  EXPECT_TRUE(accepts({"gzip"}));
  EXPECT_TRUE(accepts({"deflate, GZIP;q=0.1, br"}));
  EXPECT_TRUE(accepts({"*"}));
  EXPECT_TRUE(accepts({"br", "gzip"}));
  EXPECT_FALSE(accepts({}));
  EXPECT_FALSE(accepts({""}));
  EXPECT_FALSE(accepts({"br, deflate"}));
  EXPECT_FALSE(accepts({"gzip;q=0"}));
  EXPECT_FALSE(accepts({"*;q=0"}));
  EXPECT_FALSE(accepts({"*", "gzip;q=0.000"}));
}

HttpResponse typed(std::string_view type) {
  return HttpResponse().set("Content-Type", type);
}

TEST(HttpEncodingTest, TextOfAllKindsIsCompressible) {
  for (const char* type :
       {"text/html", "text/plain; charset=utf-8", "TEXT/CSS",
        "application/json", "application/json ; charset=utf-8",
        "application/problem+json", "image/svg+xml", "application/xml",
        "application/javascript", "application/wasm"}) {
    EXPECT_TRUE(isCompressible(typed(type))) << type;
  }
  for (const char* type :
       {"text/event-stream", "Text/Event-Stream; x=y", "image/png",
        "application/octet-stream", "application/jsonl", "font/woff2", "text",
        "+json-not"}) {
    EXPECT_FALSE(isCompressible(typed(type))) << type;
  }
  EXPECT_FALSE(isCompressible(HttpResponse()));
}

TEST(HttpEncodingTest, WhatIsEncodedOrPartialOrEmptyOrForbiddenIsNot) {
  EXPECT_FALSE(
      isCompressible(typed("text/html").set("Content-Encoding", "br")));
  EXPECT_FALSE(isCompressible(
      typed("text/html").set("Cache-Control", "private, No-Transform")));
  EXPECT_FALSE(isCompressible(typed("text/html")
                                  .add("Cache-Control", "private")
                                  .add("cache-control", "No-Transform")));
  EXPECT_TRUE(
      isCompressible(typed("text/html").set("Cache-Control", "no-store")));
  EXPECT_TRUE(isCompressible(typed("text/html").set("X", "no-transform")));
  for (const unsigned status : {100u, 204u, 206u, 304u}) {
    HttpResponse response = typed("text/html");
    response.setStatus(status);
    EXPECT_FALSE(isCompressible(response)) << status;
  }
  HttpResponse notFound = typed("text/html");
  notFound.setStatus(404);
  EXPECT_TRUE(isCompressible(notFound));
}

TEST(HttpEncodingTest, VaryIsAddedOnceAndNothingIsTakenFromIt) {
  HttpResponse head;
  addVary(head);
  addVary(head);
  EXPECT_EQ(head.fields(), "Vary: Accept-Encoding\r\n");
  HttpResponse others = HttpResponse().set("Vary", "Cookie");
  addVary(others);
  EXPECT_EQ(others.fields(), "Vary: Cookie\r\nVary: Accept-Encoding\r\n");
  HttpResponse second =
      HttpResponse().add("Vary", "Cookie").add("vary", "X, accept-encoding");
  addVary(second);
  EXPECT_EQ(second.fields(), "Vary: Cookie\r\nvary: X, accept-encoding\r\n");
  HttpResponse all = HttpResponse().set("Vary", "*");
  addVary(all);
  EXPECT_EQ(all.fields(), "Vary: *\r\n");
}

TEST(HttpEncodingTest, AStrongTagBecomesAWeakOne) {
  // RFC 9110, 8.8.1: a strong one would stand for other bytes.
  HttpResponse strong = HttpResponse().set("ETag", "\"a\"");
  addEncoding(strong);
  EXPECT_EQ(strong.fields(), "ETag: W/\"a\"\r\nContent-Encoding: gzip\r\n");
  HttpResponse weak = HttpResponse().set("ETag", "W/\"a\"");
  addEncoding(weak);
  EXPECT_EQ(weak.header("ETag"), "W/\"a\"");
}

}  // namespace
}  // namespace brigade
