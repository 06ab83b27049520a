#include "brigade/Protocol/detail/HttpParser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "brigade/Protocol/detail/HttpSyntax.h"
#include "tests/support/GuardedBytes.h"
#include "tests/support/HttpText.h"

namespace brigade::detail {
namespace {

using Kind = HttpParser::Result::Kind;

// As a codec drives it: the head ends up whole or refused, however it comes.
struct Outcome {
  std::string text;  // of the request, or the reason
  unsigned status = 0;
  std::size_t bytes = 0;  // that were there when it ended

  bool operator==(const Outcome&) const = default;
};

// In pieces of `step` bytes; 0: whole.
Outcome parsed(const std::string& head, std::size_t step = 0,
               const HttpLimits& limits = {}) {
  HttpRequest request;
  HttpParser::Resume resume;
  testing::GuardedBytes memory;
  std::size_t size = step == 0 ? head.size() : std::min(step, head.size());
  for (;; size = std::min(size + step, head.size())) {
    const auto bytes = memory.place(std::string_view(head).substr(0, size));
    const HttpParser::Result result =
        HttpParser::parse({bytes.data(), size}, resume, limits, request);
    if (result.kind == Kind::kWhole) {
      return {testing::textOf(request), 0, result.length};
    }
    if (result.kind == Kind::kRefused) {
      return {result.refusal.reason, result.refusal.status, size};
    }
    if (size == head.size()) return {"more", 0, size};
  }
}

// The same however it comes, and refused at the first byte that is wrong.
void expectRefused(const std::string& head, unsigned status,
                   const HttpLimits& limits = {}) {
  SCOPED_TRACE(::testing::PrintToString(head));
  const Outcome whole = parsed(head, 0, limits);
  EXPECT_EQ(whole.status, status) << whole.text;
  for (const std::size_t step : {1u, 2u, 3u, 7u, 16u}) {
    const Outcome cut = parsed(head, step, limits);
    EXPECT_EQ(cut.text, whole.text) << step;
    EXPECT_EQ(cut.status, whole.status) << step;
  }
}

struct Case {
  const char* name;
  std::string head;
  unsigned status;
};

std::string with(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string target(const std::string& text, const std::string& method = "GET") {
  return method + " " + text + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

const std::vector<Case> kRefused = {
    // The request line.
    {"RFC 9112, 3: a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 2.2: a bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"RFC 9112, 2.2: an LF before it", "\nGET / HTTP/1.1\r\n\r\n", 400},
    {"RFC 9112, 3: white space before it", " GET / HTTP/1.1\r\n\r\n", 400},
    {"RFC 9112, 3: no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: two spaces behind", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112, 3: a tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: a tab behind", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: a space at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112, 3: no version", "GET /\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 3: an empty version", "GET / \r\nHost: a\r\n\r\n", 400},
    {"RFC 9110, 9.1: a method that is no token", "G(T / HTTP/1.1\r\n\r\n", 400},
    {"RFC 9110, 9.1: no method", "/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9110, 9.1: NUL", {"\0GET / HTTP/1.1\r\n\r\n", 19}, 400},
    {"a TLS handshake", {"\x16\x03\x01\x02\x00\x01\x00\x01", 8}, 400},
    {"RFC 9112, 3: a method longer than any",
     std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    {"RFC 9112, 2.3: the name has a case", "GET / http/1.1\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112, 2.3: one digit each", "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
     400},
    {"RFC 9112, 2.3: no minor version", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 2.3: no digit", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
    {"RFC 9112, 2.3: another name", "GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400},
    {"RFC 9110, 15.6.6: HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    {"RFC 9110, 15.6.6: HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
    {"RFC 9110, 15.6.6: before the line is over", "GET / HTTP/3.1", 505},
    {"RFC 9113, 3.4: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     505},
    // The target.
    {"RFC 9112, 3.2: a fragment", target("/a#b"), 400},
    {"RFC 9112, 3.2: a fragment behind a query", target("/a?b#c"), 400},
    {"RFC 9112, 3.2: NUL", target({"/\0", 2}), 400},
    {"RFC 9112, 3.2: DEL", target("/\x7F"), 400},
    {"RFC 9112, 3.2: a byte that is not ASCII", target("/\xC3\xA4"), 400},
    {"RFC 9112, 3.2: a control character", target("/\x01"), 400},
    {"RFC 9112, 3.2: no form", target("a"), 400},
    {"RFC 9112, 3.2: a query alone", target("?a"), 400},
    {"RFC 9112, 3.2.2: another scheme", target("ftp://a/"), 400},
    {"RFC 9112, 3.2.2: no authority", target("http:///a"), 400},
    {"RFC 9110, 4.2.1: no host", target("http://:80/a"), 400},
    {"RFC 9110, 4.2.4: user information", target("http://b@a/"), 400},
    {"RFC 9112, 3.2.2: a bad port", target("http://a:8x/"), 400},
    {"RFC 9112, 3.2.3: an authority for GET", target("a:80"), 400},
    {"RFC 9112, 3.2.3: a path for CONNECT", target("/", "CONNECT"), 400},
    {"RFC 9112, 3.2.3: no port", target("a", "CONNECT"), 400},
    {"RFC 9112, 3.2.3: an empty port", target("a:", "CONNECT"), 400},
    {"RFC 9112, 3.2.3: no host", target(":1", "CONNECT"), 400},
    {"RFC 9110, 9.3.6: CONNECT with content",
     "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400},
    {"RFC 9112, 3.2.4: an asterisk for GET", target("*"), 400},
    {"RFC 9112, 3.2.4: more than an asterisk", target("*a", "OPTIONS"), 400},
    // Host.
    {"RFC 9112, 3.2: no Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"RFC 9112, 3.2: two", with("Host: a\r\n"), 400},
    {"RFC 9112, 3.2: two that differ in case", with("hOST: b\r\n"), 400},
    {"RFC 9110, 7.2: a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"RFC 9110, 7.2: white space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"RFC 9110, 7.2: a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"RFC 9110, 7.2: a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"RFC 9110, 7.2: no port", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
    {"RFC 9110, 7.2: two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400},
    {"RFC 9110, 7.2: a port too large",
     "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
    {"RFC 3986, 3.2.2: an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
     400},
    {"RFC 3986, 3.2.2: empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n",
     400},
    {"RFC 3986, 3.2.2: behind a bracket",
     "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400},
    {"RFC 3986, 2.1: half an escape", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n",
     400},
    {"RFC 9112, 3.2: HTTP/1.0 may leave it out, not say it twice",
     "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    // Fields.
    {"RFC 9112, 5: no colon", with("abc\r\n"), 400},
    {"RFC 9112, 5: no name", with(": a\r\n"), 400},
    {"RFC 9112, 5.1: space before the colon", with("A : b\r\n"), 400},
    {"RFC 9112, 5.1: a tab before the colon", with("A\t: b\r\n"), 400},
    {"RFC 9112, 5.1: space in the name", with("A b: c\r\n"), 400},
    {"RFC 9112, 5.2: folded", with("A: b\r\n c\r\n"), 400},
    {"RFC 9112, 5.2: folded with a tab", with("A: b\r\n\tc\r\n"), 400},
    {"RFC 9112, 5.2: an empty fold", with("A: b\r\n \r\n"), 400},
    {"RFC 9112, 2.2: white space before the first field",
     "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {"RFC 9110, 5.1: a name that is no token", with("A@: b\r\n"), 400},
    {"RFC 9110, 5.1: NUL in a name", with({"A\0: b\r\n", 7}), 400},
    {"RFC 9110, 5.1: a name that is not ASCII", with("\xC3\xA4: b\r\n"), 400},
    {"RFC 9112, 2.2: a bare LF behind a field", with("A: b\nC: d\r\n"), 400},
    {"RFC 9112, 2.2: a bare LF in a name", with("A\n: b\r\n"), 400},
    {"RFC 9112, 2.2: a bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n",
     400},
    {"RFC 9112, 2.2: a bare CR in a value", with("A: b\rc\r\n"), 400},
    {"RFC 9112, 2.2: a bare CR before a colon", with("A\r: b\r\n"), 400},
    {"RFC 9112, 2.2: CR CR LF", with("A: b\r\r\n"), 400},
    {"RFC 9112, 2.2: a bare CR at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rx",
     400},
    {"RFC 9110, 5.5: NUL", with({"A: \0\r\n", 6}), 400},
    {"RFC 9110, 5.5: a control character", with("A: b\x01\r\n"), 400},
    {"RFC 9110, 5.5: DEL", with("A: b\x7F\r\n"), 400},
    {"RFC 9110, 5.5: the last control character", with("A: \x1F\r\n"), 400},
    // The body.
    {"RFC 9112, 6.3: two lengths",
     with("Content-Length: 1\r\n"
          "Content-Length: 1\r\n"),
     400},
    {"RFC 9112, 6.3: two that differ",
     with("Content-Length: 1\r\n"
          "content-length: 2\r\n"),
     400},
    {"RFC 9112, 6.3: a list", with("Content-Length: 5, 5\r\n"), 400},
    {"RFC 9110, 8.6: empty", with("Content-Length:\r\n"), 400},
    {"RFC 9110, 8.6: a sign", with("Content-Length: +1\r\n"), 400},
    {"RFC 9110, 8.6: negative", with("Content-Length: -1\r\n"), 400},
    {"RFC 9110, 8.6: blanks", with("Content-Length: 1 2\r\n"), 400},
    {"RFC 9110, 8.6: hexadecimal", with("Content-Length: 0x1\r\n"), 400},
    {"RFC 9110, 8.6: a fraction", with("Content-Length: 1.0\r\n"), 400},
    {"RFC 9110, 8.6: over 2^63-1",
     with("Content-Length: 9223372036854775808\r\n"), 400},
    {"RFC 9110, 8.6: over 2^64-1",
     with("Content-Length: 18446744073709551617\r\n"), 400},
    {"RFC 9112, 6.3: both",
     with("Content-Length: 1\r\n"
          "Transfer-Encoding: chunked\r\n"),
     400},
    {"RFC 9112, 6.1: in HTTP/1.0",
     "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"RFC 9112, 6.3: not chunked", with("Transfer-Encoding: gzip\r\n"), 400},
    {"RFC 9112, 6.3: chunked is not last",
     with("Transfer-Encoding: chunked, gzip\r\n"), 400},
    {"RFC 9112, 6.1: chunked twice",
     with("Transfer-Encoding: chunked, chunked\r\n"), 400},
    {"RFC 9112, 6.1: chunked in two lines",
     with("Transfer-Encoding: chunked\r\nA: b\r\n"
          "transfer-encoding: chunked\r\n"),
     400},
    {"RFC 9112, 6.3: chunked, then another line",
     with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
     400},
    {"RFC 9112, 6.1: unknown", with("Transfer-Encoding: gzip, chunked\r\n"),
     501},
    {"RFC 9112, 6.1: unknown in two lines",
     with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501},
    {"RFC 9112, 6.1: nearly chunked", with("Transfer-Encoding: xchunked\r\n"),
     400},
    {"RFC 9112, 7: chunked has no parameters",
     with("Transfer-Encoding: chunked;a=b\r\n"), 400},
    {"RFC 9112, 6.1: quoted", with("Transfer-Encoding: \"chunked\"\r\n"), 400},
    {"RFC 9112, 6.1: empty", with("Transfer-Encoding:\r\n"), 400},
    {"RFC 9110, 5.6.1: an empty element",
     with("Transfer-Encoding: ,chunked\r\n"), 400},
    {"RFC 9110, 5.6.1: an element that is empty at the end",
     with("Transfer-Encoding: chunked,\r\n"), 400},
    {"RFC 9110, 10.1.1: an unknown expectation", with("Expect: tea\r\n"), 417},
    {"RFC 9110, 10.1.1: two",
     with("Expect: 100-continue\r\n"
          "Expect: 100-continue\r\n"),
     417},
};

TEST(HttpParser, RefusesRatherThanRepairs) {
  for (const Case& c : kRefused) {
    SCOPED_TRACE(c.name);
    expectRefused(c.head, c.status);
  }
}

TEST(HttpParser, RefusesAtTheFirstByteThatIsWrong) {
  // A request that is never finished is no reason to wait.
  const std::vector<std::string> heads = {
      "GET / HTTP/1.1\n",
      "GET / HTTP/1.1\rx",
      "GET / HTTP/1.1\r\nHost: a\n",
      "GET / HTTP/1.1\r\nHost: a\rx",
      "GET / HTTP/1.1\r\nHost: a\r\n ",
      "GET / HTTP/1.1\r\nHost ",
      "GET / HTTP/1.1\r\nHost: a\r\n\rx",
      "GET /#",
      "GET / HTTQ",
      "\x16",
  };
  for (const std::string& head : heads) {
    SCOPED_TRACE(::testing::PrintToString(head));
    EXPECT_EQ(parsed(head.substr(0, head.size() - 1), 1).text, "more");
    const Outcome outcome = parsed(head, 1);
    EXPECT_EQ(outcome.status, 400U);
    EXPECT_EQ(outcome.bytes, head.size());
  }
}

struct Accepted {
  const char* name;
  std::string head;
  const char* text;
};

const std::vector<Accepted> kAccepted = {
    {"RFC 9110, 5.5: white space around a value", with("A: \t b\tc \t\r\n"),
     "[GET / 1.1|Host=a;A=b\tc;]"},
    {"RFC 9112, 5: none at all", with("A:b\r\n"), "[GET / 1.1|Host=a;A=b;]"},
    {"RFC 9110, 5.5: an empty value", with("A:\r\nB: \t\r\n"),
     "[GET / 1.1|Host=a;A=;B=;]"},
    {"RFC 9110, 5.5: obs-text", with("A: \x80\xFF\r\n"),
     "[GET / 1.1|Host=a;A=\x80\xFF;]"},
    {"RFC 9110, 5.6.2: any token", with("!#$%&'*+-.^_`|~09azAZ: b\r\n"),
     "[GET / 1.1|Host=a;!#$%&'*+-.^_`|~09azAZ=b;]"},
    {"RFC 9110, 5.5: colons in a value", with("A: b:c: d\r\n"),
     "[GET / 1.1|Host=a;A=b:c: d;]"},
    {"RFC 9110, 9.1: any method", "b!rew / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[b!rew / 1.1|Host=a;]"},
    {"RFC 9110, 9.1: methods have a case", "get / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[get / 1.1|Host=a;]"},
    {"RFC 9110, 2.5: a higher minor version",
     "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "[GET / 1.9|Host=a;]"},
    {"RFC 9112, 3.2.1: a path and a query", target("/a/b%20c?d=e?f&g"),
     "[GET /a/b%20c?d=e?f&g 1.1|Host=a;]"},
    {"RFC 9112, 3.2.4: the server itself", target("*", "OPTIONS"),
     "[OPTIONS * 1.1|Host=a;]"},
    {"RFC 9112, 3.2.3: CONNECT", target("a.b:443", "CONNECT"),
     "[CONNECT a.b:443 1.1 close|Host=a;]"},
    {"RFC 9112, 3.2.2: an absolute target", target("HTTP://b:8/c?d"),
     "[GET HTTP://b:8/c?d 1.1|Host=a;]"},
    {"RFC 9110, 7.2: an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
     "[GET / 1.1|Host=;]"},
    {"RFC 9110, 7.2: a port", "GET / HTTP/1.1\r\nHost: a-b.c:65535\r\n\r\n",
     "[GET / 1.1|Host=a-b.c:65535;]"},
    {"RFC 3986, 3.2.3: an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
     "[GET / 1.1|Host=a:;]"},
    {"RFC 3986, 3.2.2: IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
     "[GET / 1.1|Host=[::1]:80;]"},
    {"RFC 3986, 3.2.2: a name with escapes",
     "GET / HTTP/1.1\r\nHost: a%2Fb_~!$&'()*+,;=\r\n\r\n",
     "[GET / 1.1|Host=a%2Fb_~!$&'()*+,;=;]"},
    {"RFC 9110, 8.6: the largest length",
     with("Content-Length: 9223372036854775807\r\n"),
     "[GET / 1.1 length=9223372036854775807|Host=a;"
     "Content-Length=9223372036854775807;]"},
    {"RFC 9110, 8.6: leading zeros", with("Content-Length: 007\r\n"),
     "[GET / 1.1 length=7|Host=a;Content-Length=007;]"},
    {"RFC 9112, 9.3: options in several lines",
     with("Connection: keep-alive\r\nA: b\r\nConnection: ,Upgrade,,close\r\n"),
     "[GET / 1.1 close upgrade|Host=a;Connection=keep-alive;A=b;"
     "Connection=,Upgrade,,close;]"},
    {"RFC 9110, 10.1.1: HTTP/1.0 expects nothing",
     "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
     "[GET / 1.0 close|Expect=100-continue;]"},
};

TEST(HttpParser, AcceptsWhatTheStandardAllows) {
  for (const Accepted& c : kAccepted) {
    SCOPED_TRACE(c.name);
    for (const std::size_t step : {0u, 1u, 2u, 3u, 7u, 16u}) {
      EXPECT_EQ(parsed(c.head, step), (Outcome{c.text, 0, c.head.size()}))
          << step;
    }
  }
}

TEST(HttpParser, APrefixOfAHeadIsNeverRefused) {
  for (const Accepted& c : kAccepted) {
    SCOPED_TRACE(c.name);
    for (std::size_t size = 1; size < c.head.size(); ++size) {
      EXPECT_EQ(parsed(c.head.substr(0, size)).text, "more") << size;
    }
  }
}

TEST(HttpParser, EveryByteAtEveryPlaceOfABlockIsJudgedAlike) {
  // RFC 9110, 5.5 and 5.6.2: the vectors and the byte by byte code agree.
  for (int c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    for (std::size_t at = 0; at < 40; ++at) {
      std::string name(40, 'n');
      name[at] = byte;
      const bool inName = isToken(std::string_view(&byte, 1)) || byte == ':';
      const Outcome named = parsed(with(name + ":x\r\n"));
      EXPECT_EQ(named.status == 0, inName && !(byte == ':' && at == 0))
          << c << " at " << at;
      std::string value(40, 'v');
      value[at] = byte;
      EXPECT_EQ(parsed(with("A:" + value + "\r\n")).status == 0,
                !isControl(byte))
          << c << " at " << at;
      std::string path(40, '/');
      path[at] = byte;
      const bool inPath = c > 0x20 && c < 0x7F && byte != '#';
      const bool isForm = at > 0 || byte == '/';
      EXPECT_EQ(parsed(target(path)).status == 0, inPath && isForm)
          << c << " at " << at;
    }
  }
}

TEST(HttpParser, PartsOfATarget) {
  const auto parts = [](const std::string& text, const char* method = "GET") {
    const std::string head = target(text, method);
    HttpRequest request;
    HttpParser::Resume resume;
    HttpParser::parse(head, resume, {}, request);
    return std::string(request.host()) + "|" + std::string(request.path()) +
           "|" + std::string(request.query());
  };
  EXPECT_EQ(parts("/"), "a|/|");
  EXPECT_EQ(parts("/a?"), "a|/a|");
  EXPECT_EQ(parts("/a?b?c"), "a|/a|b?c");
  EXPECT_EQ(parts("http://b:8/c?d"), "b:8|/c|d");
  EXPECT_EQ(parts("https://b?d"), "b|/|d");
  EXPECT_EQ(parts("*", "OPTIONS"), "a|*|");
  EXPECT_EQ(parts("b:1", "CONNECT"), "b:1||");
}

TEST(HttpParser, LimitsHoldToTheByte) {
  HttpLimits limits;
  limits.targetBytes = 10;
  EXPECT_EQ(parsed(target("/123456789"), 0, limits).status, 0U);
  expectRefused(target("/123456789x"), 414, limits);
  expectRefused(target("/123456789?"), 414, limits);

  limits = {};
  const std::string head = with("A: " + std::string(100, 'x') + "\r\n");
  limits.headBytes = head.size();
  EXPECT_EQ(parsed(head, 0, limits).status, 0U);
  EXPECT_EQ(parsed(head, 1, limits).status, 0U);
  EXPECT_EQ(parsed(head + head, 0, limits).bytes, head.size());
  --limits.headBytes;
  expectRefused(head, 431, limits);
  limits.headBytes = 6;
  expectRefused(head, 414, limits);

  limits = {};
  limits.fields = 3;
  EXPECT_EQ(parsed(with("A: b\r\nC: d\r\n"), 0, limits).status, 0U);
  expectRefused(with("A: b\r\nC: d\r\nE: f\r\n"), 431, limits);
  // What is wrong first is what is said.
  expectRefused(with("A: b\r\nC: d\r\nE: f\r\nG\n"), 431, limits);
  expectRefused(with("A: b\r\nC: d\r\n E: f\r\n"), 400, limits);
}

TEST(HttpParser, HeadersAreFoundWhateverTheirCase) {
  HttpRequest request;
  HttpParser::Resume resume;
  const std::string head = with("X-A: 1\r\nx-a: 2\r\n");
  HttpParser::parse(head, resume, {}, request);
  EXPECT_EQ(request.header("x-A"), "1");
  EXPECT_EQ(request.header("HOST"), "a");
  EXPECT_EQ(request.header("X"), std::nullopt);
}

}  // namespace
}  // namespace brigade::detail
