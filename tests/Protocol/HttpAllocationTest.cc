// Promise: in the steady state a request costs no heap allocation, neither to
// be read nor to be answered with a few short fields.

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>

#include "brigade/Protocol/Http.h"
#include "tests/support/Allocations.h"

namespace brigade {
namespace {

void answerAll(Http& codec, std::string& batch, Output& out) {
  std::span<char> input(batch);
  out.setInput(batch);
  while (!input.empty()) {
    const Packet packet = codec.input({input.data(), input.size()});
    ASSERT_LE(packet.kind, Packet::Kind::kSilent);
    if (packet.kind == Packet::Kind::kWhole) {
      const Message message = codec.decode(input.first(packet.length));
      const HttpPart& part = message.as<HttpPart>();
      if (part.kind != HttpPart::Kind::kHead) {
        const HttpResponse response = HttpResponse{200}
                                          .set("Content-Type", "text/plain")
                                          .set("Cache-Control", "no-store")
                                          .body("Hello, World!");
        const HttpReply reply{.response = response};
        codec.encode(Message::of(reply, response.body()), out);
      }
    }
    input = input.subspan(packet.length);
  }
  out.clear();
}

TEST(HttpAllocation, ARequestCostsNone) {
  HttpShared shared;
  Http codec(shared);
  Output out;
  std::string batch =
      "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1;a=b\r\nx\r\n0\r\nA: b\r\n\r\n";
  answerAll(codec, batch, out);  // the table of fields
  const std::size_t before = test::allocations();
  for (int i = 0; i < 100; ++i) answerAll(codec, batch, out);
  EXPECT_EQ(test::allocations(), before);
}

TEST(HttpAllocation, AnIdleCodecOwnsNone) {
  HttpShared shared;
  const std::size_t before = test::allocations();
  const Http codec(shared);
  EXPECT_EQ(test::allocations(), before);
}

}  // namespace
}  // namespace brigade
