#include "brigade/Protocol/Http.h"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/CodecProperty.h"
#include "tests/support/HttpText.h"

namespace brigade {
namespace {

using testing::CodecProperty;
using testing::CodecResult;
using testing::lastWords;

// As if it were the only one of its loop.
struct OnlyHttp : private HttpShared, Http {
  explicit OnlyHttp(const HttpLimits& limits)
      : HttpShared(limits), Http(static_cast<HttpShared&>(*this)) {}
};

std::unique_ptr<Http> makeHttp(const HttpLimits& limits = {}) {
  return std::make_unique<OnlyHttp>(limits);
}

std::string describe(const Message& message) {
  return testing::textOf(message);
}

const CodecProperty kHttp([] { return makeHttp(); }, describe,
                          CodecProperty::Compare::kJoined);

std::string joined(const std::vector<std::string>& texts) {
  return std::accumulate(texts.begin(), texts.end(), std::string());
}

struct Accepted {
  const char* name;
  std::string bytes;
  const char* messages;
};

const std::vector<Accepted> kAccepted = {
    {"RFC 9112, 2.1: a request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[GET / 1.1|Host=a;]$"},
    {"RFC 9112, 2.2: one empty line before it",
     "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "[GET / 1.1|Host=a;]$"},
    {"RFC 9112, 2.2: more empty lines before it",
     "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "[GET / 1.1|Host=a;]$"},
    {"RFC 9112, 2.2: an empty line after a body, from old clients",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n"
     "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[POST / 1.1 length=1|Host=a;Content-Length=1;]x$[GET / 1.1|Host=a;]$"},
    {"RFC 9112, 9.3.2: pipelined requests",
     "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
     "[GET /1 1.1|Host=a;]$[GET /2 1.1|Host=b;]$"},
    {"RFC 9112, 6.2: a body of known length",
     "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
     "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[PUT /x 1.1 length=5|Host=a;Content-Length=5;]hello$"
     "[GET / 1.1|Host=a;]$"},
    {"RFC 9110, 8.6: a length of 0",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "[POST / 1.1|Host=a;Content-Length=0;]$"},
    {"RFC 9112, 7.1: chunks",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n00A\r\n, world...\r\n0\r\n\r\n"
     "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "[POST / 1.1 chunked|Host=a;Transfer-Encoding=chunked;]hello, world...$"
     "[GET / 1.1|Host=a;]$"},
    {"RFC 9112, 7: a coding's name has no case",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tChunKED \r\n\r\n"
     "0\r\n\r\n",
     "[POST / 1.1 chunked|Host=a;Transfer-Encoding=ChunKED;]$"},
    {"RFC 9112, 7.1.1: extensions are dropped",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1;a;b=c;d=\"e \\\"; f\";g\r\nx\r\n0;end\r\n\r\n",
     "[POST / 1.1 chunked|Host=a;Transfer-Encoding=chunked;]x$"},
    {"RFC 9112, 7.1.2: trailers are dropped",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1\r\nx\r\n0\r\nContent-Lengthy: 7\r\nX:\r\n\r\n",
     "[POST / 1.1 chunked|Host=a;Transfer-Encoding=chunked;]x$"},
    {"RFC 9112, 7.1: data may look like framing",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
     "[POST / 1.1 chunked|Host=a;Transfer-Encoding=chunked;]\r\n0\r\n\r\n$"},
    {"RFC 9112, 9.6: nothing is read after close",
     "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
     "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n",
     "[GET /1 1.1 close|Host=a;Connection=close;]$"},
    {"RFC 9112, 9.3: nor after a body that ends in close",
     "POST /1 HTTP/1.1\r\nHost: a\r\nConnection: x , CLOSE\r\n"
     "Content-Length: 2\r\n\r\nab\r\n\r\nwhatever",
     "[POST /1 1.1 close length=2|Host=a;Connection=x , "
     "CLOSE;Content-Length=2;]ab$"},
    {"RFC 9112, 9.3: HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\nGET",
     "[GET / 1.0 close|]$"},
    {"RFC 9112, 9.3: HTTP/1.0 with keep-alive",
     "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
     "GET / HTTP/1.0\r\n\r\n",
     "[GET / 1.0|Connection=Keep-Alive;]$[GET / 1.0 close|]$"},
    {"RFC 9110, 7.8: what follows an upgrade is the next codec's",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
     "[GET / 1.1 upgrade|Host=a;Connection=Upgrade;Upgrade=x;]$"},
    {"RFC 9110, 7.8: HTTP/1.0 upgrades to nothing",
     "GET / HTTP/1.0\r\nConnection: upgrade\r\n\r\n",
     "[GET / 1.0 close|Connection=upgrade;]$"},
    {"RFC 9110, 10.1.1: 100-continue",
     "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
     "Content-Length: 1\r\n\r\nx",
     "[PUT / 1.1 expects length=1|Host=a;Expect=100-Continue;"
     "Content-Length=1;]x$"},
};

TEST(Http, RequestsAreMessagesHoweverTheyAreCut) {
  for (const Accepted& c : kAccepted) {
    SCOPED_TRACE(c.name);
    const CodecResult result = kHttp.whole(c.bytes);
    EXPECT_EQ(joined(result.messages), c.messages);
    EXPECT_EQ(result.malformed, "");
    EXPECT_EQ(result.rest, 0U);
    kHttp.holdsFor(c.bytes);
  }
}

struct Refused {
  const char* name;
  std::string body;  // behind a head with Transfer-Encoding: chunked
  unsigned status;
};

const std::vector<Refused> kBadChunks = {
    {"RFC 9112, 7.1: no size", "\r\n", 400},
    {"RFC 9112, 7.1: a size that is no number", "g\r\n", 400},
    {"RFC 9112, 7.1: a sign", "+1\r\nx\r\n", 400},
    {"RFC 9112, 7.1: a negative size", "-1\r\n", 400},
    {"RFC 9112, 7.1: a prefix", "0x1\r\nx\r\n", 400},
    {"RFC 9112, 7.1: white space before", " 1\r\nx\r\n", 400},
    {"RFC 9112, 7.1: white space after", "1 \r\nx\r\n", 400},
    {"RFC 9112, 7.1: over 2^63-1", "8000000000000000\r\n", 400},
    {"RFC 9112, 7.1: over 2^64-1", "10000000000000001\r\n", 400},
    {"RFC 9112, 7.1: a bare LF behind the size", "1\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1: a bare CR behind the size", "1\rx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1: a bare LF behind the data", "1\r\nx\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1: no CRLF behind the data", "1\r\nxy\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1: a bare CR behind the data", "1\r\nx\r0\r\n\r\n", 400},
    {"RFC 9112, 7.1.1: an empty extension", "1;\r\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1.1: an extension that is no token", "1;(\r\nx\r\n", 400},
    {"RFC 9112, 7.1.1: no value", "1;a=\r\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1.1: two values", "1;a=b=c\r\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1.1: behind a quoted value", "1;a=\"b\"c\r\nx\r\n", 400},
    {"RFC 9112, 7.1.1: a line end in quotes", "1;a=\"\r\n0\r\n\"\r\n", 400},
    {"RFC 9112, 7.1.1: a bare LF in an extension", "1;a\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1.1: over the limit",
     "1;" + std::string(2000, 'a') + "\r\nx\r\n0\r\n\r\n", 400},
    {"RFC 9112, 7.1: a bare LF at the end", "0\r\n\n", 400},
    {"RFC 9112, 7.1: a bare CR at the end", "0\r\n\rx", 400},
    {"RFC 9112, 7.1.2: a trailer that is no field", "0\r\nabc\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: no name", "0\r\n: x\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: space before the colon", "0\r\na : x\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: folded", "0\r\na: x\r\n b\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: a bare LF", "0\r\na: x\n\r\n", 400},
    {"RFC 9112, 7.1.2: a bare CR", "0\r\na: x\ry\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: NUL", {"0\r\na: \0\r\n\r\n", 11}, 400},
    {"RFC 9110, 6.5.1: a length", "0\r\ncontent-LENGTH: 1\r\n\r\n", 400},
    {"RFC 9110, 6.5.1: a coding",
     "0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"RFC 9112, 7.1.2: over the limit",
     "0\r\na: " + std::string(9000, 'x') + "\r\n\r\n", 431},
};

TEST(Http, BadChunksAreRefusedHoweverTheyAreCut) {
  for (const Refused& c : kBadChunks) {
    SCOPED_TRACE(c.name);
    const std::string bytes =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
        c.body;
    const std::unique_ptr<Http> codec = makeHttp();
    testing::CodecMemory memory;
    testing::CodecRun run(*codec, memory, describe);
    run.feed(bytes);
    EXPECT_NE(run.result().malformed, "");
    EXPECT_EQ(codec->refusal().status, c.status);
    const std::string words = lastWords(*codec, Refusal::kMalformed);
    EXPECT_TRUE(words.starts_with("HTTP/1.1 " + std::to_string(c.status)));
    EXPECT_NE(words.find(run.result().malformed), std::string::npos);
    if (bytes.size() < 1000) kHttp.holdsFor(bytes);
  }
}

TEST(Http, ABodyThatIsThereComesWithItsHead) {
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n";
  const std::string body(70000, 'x');
  EXPECT_EQ(kHttp.whole(head + body).messages.size(), 2U);
  HttpLimits limits;
  limits.wholeRequestBytes = head.size() + body.size();
  const CodecProperty roomy([&] { return makeHttp(limits); }, describe,
                            CodecProperty::Compare::kJoined);
  EXPECT_EQ(roomy.whole(head + body).messages.size(), 1U);
  --limits.wholeRequestBytes;
  EXPECT_EQ(roomy.whole(head + body).messages.size(), 2U);
}

TEST(Http, ABodyStreamsAsItArrives) {
  const std::unique_ptr<Http> codec = makeHttp();
  testing::CodecMemory memory;
  testing::CodecRun run(*codec, memory, describe);
  run.feed("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
  EXPECT_EQ(run.result().messages.size(), 1U);
  run.feed("ab");
  run.feed("cd");
  run.feed("efGET / HTTP/1.1\r\n");
  const std::vector<std::string> expected = {
      "[PUT / 1.1 length=6|Host=a;Content-Length=6;]", "ab", "cd", "ef$"};
  EXPECT_EQ(run.result().messages, expected);
  EXPECT_EQ(run.result().rest, 16U);
}

TEST(Http, AnIdleCodecIsSmall) { EXPECT_LE(sizeof(Http), 96U); }

TEST(Http, AHeadIsLookedAtOnceHoweverSmallTheReads) {
  HttpLimits limits;
  limits.headBytes = 4 << 20;
  limits.targetBytes = 2 << 20;
  const CodecProperty large([&] { return makeHttp(limits); }, describe);
  large.scansOnce("GET /" + std::string(1 << 20, 'x') +
                  " HTTP/1.1\r\nHost: a\r\n\r\n");
  large.scansOnce("GET / HTTP/1.1\r\nHost: a\r\nX: " +
                  std::string(1 << 20, 'x') + "\r\n\r\n");
  large.scansOnce("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(1 << 20, 'x') +
                  ": x\r\n\r\n");
  large.scansOnce("GET / HTTP/1.1\r\nHost: a\r\nX:" +
                  std::string(1 << 20, ' ') + "\r\n\r\n");
}

TEST(Http, LastWordsNameTheStatusAndWhatWasWrong) {
  const std::unique_ptr<Http> codec = makeHttp();
  const Packet packet = codec->input("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(packet.kind, Packet::Kind::kMalformed);
  EXPECT_EQ(lastWords(*codec, Refusal::kMalformed),
            "HTTP/1.1 400 Bad Request\r\n"
            "Content-Length: 41\r\n"
            "Connection: close\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "\r\n"
            "400 Bad Request: no Host (RFC 9112, 3.2)\n");
}

TEST(Http, ATimeoutIsAnsweredOnlyOnceARequestHasBegun) {
  const auto words = [](const char* bytes) {
    const std::unique_ptr<Http> codec = makeHttp();
    testing::CodecMemory memory;
    testing::CodecRun run(*codec, memory, describe);
    run.feed(bytes);
    return lastWords(*codec, Refusal::kTimeout).substr(0, 12);
  };
  EXPECT_EQ(words(""), "");
  EXPECT_EQ(words("\r\n"), "");
  EXPECT_EQ(words("G"), "HTTP/1.1 408");
  EXPECT_EQ(words("GET / HTTP/1.1\r\nHost: a\r\n"), "HTTP/1.1 408");
  EXPECT_EQ(words("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "");
  EXPECT_EQ(words("GET / HTTP/1.1\r\nHost: a\r\n\r\nG"), "HTTP/1.1 408");
  EXPECT_EQ(words("GET / HTTP/1.0\r\n\r\nG"), "");
  EXPECT_EQ(words("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"),
            "HTTP/1.1 408");
}

TEST(Http, WhatIsTooLongForTheConnectionIsNamed) {
  const auto words = [](const char* bytes) {
    const std::unique_ptr<Http> codec = makeHttp();
    testing::CodecMemory memory;
    testing::CodecRun run(*codec, memory, describe);
    run.feed(bytes);
    return lastWords(*codec, Refusal::kTooLong).substr(0, 12);
  };
  EXPECT_EQ(words("GET /x"), "HTTP/1.1 414");
  EXPECT_EQ(words("GET / HTTP/1.1\r\nA"), "HTTP/1.1 431");
  EXPECT_EQ(words("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"),
            "HTTP/1.1 413");
}

TEST(Http, CodecsOfOneLoopDoNotDisturbEachOther) {
  HttpShared shared;
  Http one(shared);
  Http other(shared);
  std::string first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string second = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  ASSERT_EQ(one.input(first).kind, Packet::Kind::kWhole);
  ASSERT_EQ(other.input(second).kind, Packet::Kind::kWhole);
  EXPECT_EQ(describe(one.decode(first)), "[GET /1 1.1|Host=a;]$");
}

struct Encoded {
  const char* name;
  HttpReply reply;
  const char* body;
  const char* bytes;
};

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST(Http, RepliesAreFramedAsTheRequestAllows) {
  using Framing = HttpReply::Framing;
  const HttpResponse ok = HttpResponse{200}.set("X", "y");
  const HttpResponse none{204};
  const HttpResponse same = HttpResponse{304}.set("ETag", "\"1\"");
  const HttpResponse odd{299};
  const std::vector<Encoded> cases = {
      {"RFC 9112, 6.2: a length",
       {.response = ok, .date = kDate},
       "hello",
       "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
       "Content-Length: 5\r\nX: y\r\n\r\nhello"},
      {"RFC 9110, 9.3.2: HEAD",
       {.response = ok, .headOnly = true},
       "hello",
       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n"},
      {"RFC 9112, 6.3: 204 has neither body nor length",
       {.response = none},
       "hello",
       "HTTP/1.1 204 No Content\r\n\r\n"},
      {"RFC 9112, 6.3: nor has 304",
       {.response = same},
       "hello",
       "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"},
      {"RFC 9112, 4: a status without a reason",
       {.response = odd},
       "",
       "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
      {"RFC 9112, 7.1: chunks follow",
       {.response = ok, .framing = Framing::kChunked},
       "",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"},
      {"RFC 9112, 6.1: HTTP/1.0 knows no chunks",
       {.response = ok, .framing = Framing::kChunked, .minorVersion = 0},
       "",
       "HTTP/1.1 200 OK\r\nConnection: close\r\nX: y\r\n\r\n"},
      {"RFC 9112, 9.3: HTTP/1.0 is told that it may go on",
       {.response = ok, .minorVersion = 0},
       "a",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n"
       "X: y\r\n\r\na"},
      {"RFC 9112, 9.6: close",
       {.response = ok, .keepAlive = false},
       "a",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n"
       "X: y\r\n\r\na"},
      {"a length that the rest follows",
       {.response = ok, .framing = Framing::kLength, .length = 1ULL << 40},
       "ab",
       "HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\nX: y\r\n\r\nab"},
      {"RFC 9112, 6.3: until the connection ends",
       {.response = ok, .framing = Framing::kUntilClose},
       "ab",
       "HTTP/1.1 200 OK\r\nConnection: close\r\nX: y\r\n\r\nab"},
  };
  const std::unique_ptr<Http> codec = makeHttp();
  for (const Encoded& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(CodecProperty::encoded(*codec, Message::of(c.reply, c.body)),
              c.bytes);
  }
}

TEST(Http, ADateOfTheProgramIsTheOnlyOne) {
  const HttpResponse own = HttpResponse{200}.set("date", "x");
  const HttpReply reply{.response = own, .date = kDate};
  EXPECT_EQ(CodecProperty::encoded(*makeHttp(), Message::of(reply)),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\ndate: x\r\n\r\n");
}

TEST(Http, ChunksAreFramedAndAnEmptyOneIsNone) {
  const std::unique_ptr<Http> codec = makeHttp();
  const auto encoded = [&](HttpPiece piece, std::string_view data) {
    return CodecProperty::encoded(*codec, Message::of(piece, data));
  };
  EXPECT_EQ(encoded(HttpPiece::kChunk, "0123456789abcdefXYZ"),
            "13\r\n0123456789abcdefXYZ\r\n");
  EXPECT_EQ(encoded(HttpPiece::kChunk, ""), "");
  EXPECT_EQ(encoded(HttpPiece::kLastChunk, ""), "0\r\n\r\n");
  EXPECT_EQ(encoded(HttpPiece::kContinue, ""), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(CodecProperty::encoded(*codec, "as it is"), "as it is");
}

TEST(Http, ALargeBodyIsNotCopied) {
  const HttpResponse ok;
  const std::string body(1 << 20, 'x');
  const HttpReply reply{.response = ok};
  Output out;
  out.setMessage(body);
  makeHttp()->encode(Message::of(reply, body), out);
  EXPECT_TRUE(out.borrowsMessage());
  EXPECT_EQ(out.pieces().back().iov_base, body.data());
}

}  // namespace
}  // namespace brigade
