// Promise: in the steady state a request costs no heap allocation, neither to
// be read nor to be answered with a few short fields.

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string>

#include "brigade/Protocol/Http.h"

namespace {

std::size_t allocations = 0;

void* count(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return count(size); }
void* operator new[](std::size_t size) { return count(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

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
  const auto shared = std::make_shared<HttpShared>();
  Http codec(shared);
  Output out;
  std::string batch =
      "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nConnection: keep-alive\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1;a=b\r\nx\r\n0\r\nA: b\r\n\r\n";
  answerAll(codec, batch, out);  // the table of fields
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) answerAll(codec, batch, out);
  EXPECT_EQ(allocations, before);
}

TEST(HttpAllocation, AnIdleCodecOwnsNone) {
  const auto shared = std::make_shared<HttpShared>();
  const std::size_t before = allocations;
  const Http codec(shared);
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace brigade
