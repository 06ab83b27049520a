// Chunks, limits, and what becomes of a connection.

#include "tests/integration/support/HttpWireCases.h"

namespace brigade::test {
namespace {

using namespace std::string_literals;

WireGroup chunks() {
  return {
      "Chunks",
      "echo",
      {
          {"9112 7.1 no chunk", chunked("0\r\n\r\n"), "200 kept"},
          {"9112 7.1 three chunks",
           chunked("3\r\nabc\r\n1\r\nd\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"),
           "200 kept", "abcd0123456789abcdef"},
          {"9112 7.1 a size in both cases",
           chunked("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
           "200 kept", "01234567890123456789a"},
          {"9112 7.1 leading zeros", chunked("0005\r\n12345\r\n000\r\n\r\n"),
           "200 kept", "12345"},
          {"9112 7.1 sixteen digits",
           chunked("0000000000000001\r\nx\r\n0\r\n\r\n"), "200 kept", "x"},
          {"9112 7.1 seventeen digits",
           chunked("00000000000000001\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 0x5", chunked("0x5\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 +5", chunked("+5\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 -1", chunked("-1\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a blank before the size",
           chunked(" 5\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a blank behind the size",
           chunked("5 \r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 HTAB behind the size",
           chunked("5\t\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 no size", chunked("\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a letter that is no digit",
           chunked("g\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 an underscore in the size",
           chunked("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 2^63", chunked("8000000000000000\r\n"), "400 closed"},
          {"9112 7.1 2^64 - 1", chunked("ffffffffffffffff\r\n"), "400 closed"},
          {"9112 7.1 2^64 + 5, which wraps to 5",
           chunked("10000000000000005\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 NUL behind the size",
           chunked("5\0\r\n12345\r\n0\r\n\r\n"s), "400 closed"},
          {"9112 7.1 a bare LF behind the size",
           chunked("5\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a bare CR behind the size",
           chunked("5\rX12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a bare LF behind the data",
           chunked("5\r\n12345\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 nothing behind the data", chunked("5\r\n123450\r\n\r\n"),
           "400 closed"},
          {"9112 7.1 data longer than its size",
           chunked("4\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 data shorter than its size",
           chunked("6\r\n12345\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1 a bare LF behind the last chunk", chunked("0\n\n"),
           "400 closed"},
          {"9112 7.1 a bare LF at the end", chunked("0\r\n\n"), "400 closed"},
          {"9112 7.1 a bare CR at the end", chunked("0\r\n\rX"), "400 closed"},
          {"9112 8 no last chunk", chunked("5\r\n12345\r\n"), "waits"},
          {"9112 8 no end behind the last chunk", chunked("0\r\n"), "waits"},
          {"9112 8 a chunk that is not all there", chunked("5\r\n123"),
           "waits"},
          {"9112 7.1.1 an extension", chunked("1;a=b\r\nx\r\n0;c\r\n\r\n"),
           "200 kept", "x"},
          {"9112 7.1.1 a quoted extension",
           chunked("1;a=\"b; \\\" c\"\r\nx\r\n0\r\n\r\n"), "200 kept", "x"},
          {"9112 7.1.1 an extension without a name",
           chunked("1;\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 an extension without a value",
           chunked("1;a=\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 a quote without its end",
           chunked("1;a=\"b\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 a bare LF in an extension",
           chunked("1;a\nb\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 a bare LF in a quote",
           chunked("1;a=\"\n\"\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 a bare CR in an extension",
           chunked("1;a\rb\r\nx\r\n0\r\n\r\n"), "400 closed"},
          {"9112 7.1.1 NUL in an extension",
           chunked("1;a=\0\r\nx\r\n0\r\n\r\n"s), "400 closed"},
          {"9112 7.1.1 an extension of 1024 bytes",
           chunked("1;" + times(1023, "a") + "\r\nx\r\n0\r\n\r\n"), "200 kept"},
          {"9112 7.1.1 an extension of 1025 bytes",
           chunked("1;" + times(1025, "a") + "\r\nx\r\n0\r\n\r\n"),
           "400 closed"},
          {"9112 7.1.1 extensions of 17 KiB in all",
           chunked(times(17, "1;" + times(1000, "a") + "\r\nx\r\n") +
                   "0\r\n\r\n"),
           "400 closed"},
          {"9112 7.1.2 trailers", chunked("1\r\nx\r\n0\r\nA: b\r\nC:\r\n\r\n"),
           "200 kept", "x"},
          {"9112 7.1.2 a blank before a trailer's colon",
           chunked("0\r\nA : b\r\n\r\n"), "400 closed"},
          {"9112 7.1.2 a trailer without a colon", chunked("0\r\nAb\r\n\r\n"),
           "400 closed"},
          {"9112 7.1.2 a folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"),
           "400 closed"},
          {"9112 7.1.2 a bare LF in the trailers",
           chunked("0\r\nA: b\nC: d\r\n\r\n"), "400 closed"},
          {"9112 7.1.2 NUL in a trailer", chunked("0\r\nA: \0\r\n\r\n"s),
           "400 closed"},
          {"9112 7.1.2 trailers without their end", chunked("0\r\nA: b\r\n"),
           "waits"},
          {"9112 7.1.2 trailers over 8 KiB",
           chunked("0\r\n" + times(9, "A: " + times(1000, "b") + "\r\n") +
                   "\r\n"),
           "431 closed"},
          {"9112 7.1 a chunked body and the next request",
           chunked("1\r\nx\r\n0\r\n\r\n") + kHidden, "200 200 kept"},
      }};
}

// A head of that many bytes.
std::string headOf(std::size_t size) {
  const std::string empty = get("X: \r\n");
  return get("X: " + std::string(size - empty.size(), 'x') + "\r\n");
}

std::string targetOf(unsigned size) {
  return request("GET /" + times(size - 1, "a") + " HTTP/1.1");
}

WireGroup limits() {
  return {
      "Limits",
      "echo",
      {
          {"9110 15.5.15 a target of 8 KiB", targetOf(8192), "200 kept"},
          {"9110 15.5.15 a target of 8 KiB and a byte", targetOf(8193),
           "414 closed"},
          {"9110 15.5.15 a request line without an end",
           "GET /" + times(9000, "a"), "414 closed"},
          {"6585 5 a head of 16 KiB", headOf(16384), "200 kept"},
          {"6585 5 a head of 16 KiB and a byte", headOf(16385), "431 closed"},
          {"6585 5 a field without an end",
           "GET / HTTP/1.1\r\nHost: a\r\nX: " + times(17000, "x"),
           "431 closed"},
          {"6585 5 a name without an end",
           "GET / HTTP/1.1\r\nHost: a\r\n" + times(17000, "x"), "431 closed"},
          {"6585 5 100 fields", get(times(99, "X: y\r\n")), "200 kept"},
          {"6585 5 101 fields", get(times(100, "X: y\r\n")), "431 closed"},
          {"9112 6 a body of 64 KiB",
           post("Content-Length: 65536\r\n", times(65536, "b")), "200 kept"},
          {"9112 7.1 a chunk of 32 KiB",
           chunked("8000\r\n" + times(32768, "b") + "\r\n0\r\n\r\n"),
           "200 kept"},
          {"9112 9.3.2 500 requests at once", times(500, get()),
           times(500, "200 ") + "kept"},
      }};
}

WireGroup connections() {
  const auto with = [](const std::string& options) {
    return get("Connection: " + options + "\r\n");
  };
  const auto old = [](const std::string& fields) {
    return "GET / HTTP/1.0\r\n" + fields + "\r\n";
  };
  const std::string expect = "Expect: 100-continue\r\nContent-Length: 5\r\n";
  return {
      "Connections",
      "echo",
      {
          {"9112 9.6 close", with("close"), "200 closed"},
          {"9110 7.6.1 close in upper case", with("CLOSE"), "200 closed"},
          {"9110 7.6.1 close in a list", with("x, close ,y"), "200 closed"},
          {"9110 7.6.1 close in another line", with("x\r\nConnection: close"),
           "200 closed"},
          {"9112 9.3 keep-alive", with("keep-alive"), "200 kept"},
          {"9112 9.3 keep-alive and close", with("keep-alive, close"),
           "200 closed"},
          {"9112 9.3 an option nobody knows", with("x"), "200 kept"},
          {"9112 9.6 a request behind close is ignored",
           with("close") + kHidden, "200 closed"},
          {"9112 9.6 nonsense behind close is ignored",
           with("close") + "nonsense\n", "200 closed"},
          {"9112 9.3 HTTP/1.0", old(""), "200 closed"},
          {"9112 9.3 HTTP/1.0 with keep-alive",
           old("Connection: keep-alive\r\n"), "200 kept"},
          {"9112 9.3 HTTP/1.0 with keep-alive and close",
           old("Connection: keep-alive, close\r\n"), "200 closed"},
          {"9112 9.3 HTTP/1.0 with an option nobody knows",
           old("Connection: x\r\n"), "200 closed"},
          {"9112 9.3.2 HTTP/1.0 ends the pipeline", get() + old("") + kHidden,
           "200 200 closed"},
          {"9110 7.8 an upgrade nobody knows is ignored",
           get("Connection: upgrade\r\nUpgrade: h2c\r\n") + get(),
           "200 200 kept"},
          {"9112 9.6 half-close behind a request", get(), "200 closed", "",
           true},
          {"9112 9.6 half-close behind two requests", get() + get(),
           "200 200 closed", "", true},
          {"9112 8 half-close inside a head", "GET / HTTP/1.1\r\nHo", "closed",
           "", true},
          {"9112 8 half-close inside a body",
           post("Content-Length: 5\r\n", "123"), "closed", "", true},
          {"9112 8 half-close inside a chunked body", chunked("5\r\n123"),
           "closed", "", true},
          {"9112 9.6 half-close before a request", "", "closed", "", true},
          {"9110 10.1.1 the body comes at once", post(expect, "12345"),
           "100? 200 kept", "12345"},
          {"9110 10.1.1 the body does not come", post(expect, ""), "100 waits"},
          {"9110 10.1.1 a chunked body",
           post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
                "1\r\nx\r\n0\r\n\r\n"),
           "100? 200 kept", "x"},
          {"9110 10.1.1 in another case",
           post("Expect: 100-Continue\r\nContent-Length: 5\r\n", ""),
           "100 waits"},
          {"9110 10.1.1 no body", get("Expect: 100-continue\r\n"), "200 kept"},
          {"9110 10.1.1 a body of nothing",
           post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
           "200 kept"},
          {"9110 10.1.1 HTTP/1.0 has no expectations",
           "POST / HTTP/1.0\r\n" + expect + "\r\n12345", "200 closed", "12345"},
          {"9110 10.1.1 an expectation nobody knows",
           post("Expect: 200-maybe\r\nContent-Length: 5\r\n", "12345"),
           "417 closed"},
          {"9110 10.1.1 a body that is too long is not asked for",
           post("Expect: 100-continue\r\nContent-Length: 10485761\r\n", ""),
           "413 closed"},
          {"9112 9.3.2 good ones and a bad one",
           get() + post("Content-Length: 1\r\n", "x") + "GET / HTTP/1.1\n" +
               kHidden,
           "200 200 400 closed"},
          {"9112 9.3.2 a bad chunk behind a good request",
           get() + chunked("x\r\n") + kHidden, "200 400 closed"},
          {"9112 9.3.2 a version behind a good request",
           get() + request("GET / HTTP/3.0"), "200 505 closed"},
          {"9112 9.3.2 bodies in a row",
           length("5") + codings("chunked") +
               post("Content-Length: 3\r\n", "abc"),
           "200 200 200 kept", "abc"},
          {"9112 9.3.2 HEAD is the last of a pipeline",
           request("HEAD / HTTP/1.1"), "200- kept"},
      }};
}

// Requests that two servers in a row read differently. `kHidden` is what would
// be smuggled in: it is never answered on its own where framing is in doubt.
WireGroup smuggling() {
  const std::string te = "Transfer-Encoding: chunked\r\n";
  return {
      "Smuggling",
      "echo",
      {
          {"9112 11.2 CL.TE",
           post("Content-Length: 6\r\n" + te, "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.CL",
           post(te + "Content-Length: 4\r\n", "5c\r\n" + kHidden + "0\r\n\r\n"),
           "400 closed"},
          {"9112 11.2 TE.TE with an unknown coding",
           post(te + "Transfer-Encoding: x\r\nContent-Length: 4\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE with a blank before the colon",
           post("Content-Length: 4\r\nTransfer-Encoding : chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE behind a bare LF",
           post("Content-Length: 4\r\nX: x\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE behind a bare CR",
           post("Content-Length: 4\r\nX: x\rTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE on a folded line",
           post("Content-Length: 4\r\nX: x\r\n Transfer-Encoding: chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE behind HTAB",
           post("Content-Length: 4\r\n\tTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE with a control character",
           post("Content-Length: 4\r\nTransfer-Encoding: \x0b"
                "chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE with obs-text",
           post("Content-Length: 4\r\nTransfer-Encoding: \xA0"
                "chunked\r\n",
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 TE.TE with NUL in the name",
           post("Content-Length: 4\r\nTransfer-Encoding\0: chunked\r\n"s,
                "0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 11.2 CL.0: a length of 0 is believed",
           post("Content-Length: 0\r\n", kHidden), "200 200 kept"},
          {"9112 11.2 0.CL: GET has the body that it says",
           get("Content-Length: " + std::to_string(kHidden.size()) + "\r\n") +
               kHidden,
           "200 kept", kHidden},
          {"9112 11.2 CL.CL",
           post("Content-Length: 0\r\nContent-Length: 5\r\n", kHidden),
           "400 closed"},
          {"9112 11.2 H2.TE remains: connection-specific fields only",
           post("Connection: Content-Length\r\nContent-Length: 5\r\n", "12345"),
           "200 kept", "12345"},
          {"9112 7.1 a size that wraps 32 bits",
           chunked("100000000\r\n\r\n0\r\n\r\n" + kHidden), "waits"},
          {"9112 7.1 a size in other digits",
           chunked("\xEF\xBC\x95\r\n12345\r\n0\r\n\r\n" + kHidden),
           "400 closed"},
          {"9112 7.1 TERM.EXT: LF ends the extension for some",
           chunked("2;\nxx\r\n0\r\n\r\n" + kHidden), "400 closed"},
          {"9112 7.1 EXT.TERM: CR ends the extension for some",
           chunked("2;a\rxx\r\n0\r\n\r\n" + kHidden), "400 closed"},
          {"9112 7.1 a spill of two bytes behind the data",
           chunked("5\r\n12345XX0\r\n\r\n" + kHidden), "400 closed"},
          {"9112 7.1 LF CR behind the data",
           chunked("5\r\n12345\n\r0\r\n\r\n" + kHidden), "400 closed"},
          {"9112 7.1.2 Content-Length among the trailers",
           chunked("0\r\nContent-Length: 50\r\n\r\n") + kHidden, "400 closed"},
          {"9112 7.1.2 Transfer-Encoding among the trailers",
           chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n") + kHidden,
           "400 closed"},
          {"9112 7.1.2 Host and Connection among the trailers",
           chunked("0\r\nHost: b\r\nConnection: close\r\n\r\n") + kHidden,
           "200 200 kept"},
          {"9112 7.1.2 a request line among the trailers",
           chunked("0\r\n" + kHidden), "400 closed"},
          {"9112 3.2 a Host inside an absolute target",
           request("GET http://b/ HTTP/1.1", "X: y\r\n") + kHidden,
           "200 200 kept"},
          {"9112 3 a request line inside a value",
           get("X: GET /hidden HTTP/1.1\r\n"), "200 kept"},
          {"9112 3 a version twice", request("GET / HTTP/1.1 HTTP/1.1"),
           "400 closed"},
          {"9112 9.3 an expectation hides no body",
           post("Expect: 100-continue\r\nContent-Length: " +
                    std::to_string(kHidden.size()) + "\r\n",
                kHidden),
           "100? 200 kept", kHidden},
          {"9110 7.8 an upgrade hides no request",
           post("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n",
                "12345") +
               kHidden,
           "200 200 kept"},
      }};
}

WireGroup hello() {
  return {"Hello",
          "hello",
          {
              {"9110 9.3.1 GET", get(), "200 kept", "Hello, World!"},
              {"9110 9.3.2 HEAD", request("HEAD / HTTP/1.1"), "200- kept"},
              {"9110 15.5.5 an unknown path", request("GET /x HTTP/1.1"),
               "404 kept", "Not found\n"},
              {"9110 15.5.5 a method that the path has not",
               request("GET /echo HTTP/1.1"), "404 kept"},
              {"9112 7.1 a chunked answer", request("GET /stream HTTP/1.1"),
               "200 kept",
               "piece 1\npiece 2\npiece 3\npiece 4\npiece 5\npiece 6\npiece 7\n"
               "piece 8\npiece 9\npiece 10\n"},
              {"9112 7.1 chunked answers in a row",
               times(3, request("GET /stream HTTP/1.1")), "200 200 200 kept"},
              {"9112 6.3 HTTP/1.0 has its answer until the connection ends",
               "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
               "200 closed",
               "piece 1\npiece 2\npiece 3\npiece 4\npiece 5\npiece 6\npiece 7\n"
               "piece 8\npiece 9\npiece 10\n"},
              {"9110 9.3.2 HEAD of a chunked answer",
               request("HEAD /stream HTTP/1.1"), "200- kept"},
              {"9110 9.3.3 POST",
               request("POST /echo HTTP/1.1",
                       "Content-Type: text/x\r\nContent-Length: 3\r\n") +
                   "abc",
               "200 kept", "abc"},
          }};
}

}  // namespace

std::vector<WireGroup> httpConnectionCases() {
  return {chunks(), limits(), connections(), smuggling(), hello()};
}

}  // namespace brigade::test
