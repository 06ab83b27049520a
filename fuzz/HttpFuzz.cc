// The HTTP codec: cuts, and what a message is made of. Nothing it decodes is
// sent back: requests are for servers, and it encodes responses. The request
// that comes first is copied, and answered in a way that it chooses; when there
// is none, the answers that refuse it are looked at.
#include "brigade/Protocol/Http.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/CodecFuzz.h"
#include "tests/support/HttpText.h"

namespace {

using brigade::Http;
using brigade::HttpPart;
using brigade::HttpPiece;
using brigade::HttpReply;
using brigade::HttpRequest;
using brigade::HttpResponse;
using brigade::Message;
using brigade::Output;

void check(bool holds) {
  if (!holds) std::abort();
}

std::string bytesOf(Output& out) {
  std::string bytes;
  for (const iovec& piece : out.pieces()) {
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
  }
  out.clear();
  return bytes;
}

brigade::HttpShared& shared() {
  // Small, so that the limits are reached.
  static brigade::HttpShared all(brigade::HttpLimits{.headBytes = 400,
                                                     .fields = 10,
                                                     .targetBytes = 100,
                                                     .chunkExtensionBytes = 20,
                                                     .bodyExtensionBytes = 40,
                                                     .trailerBytes = 60,
                                                     .wholeRequestBytes = 200});
  return all;
}

void checkCopy(const HttpRequest& request, const std::string& text) {
  static HttpRequest copy;
  static std::string storage;
  copy.assign(request, storage);
  check(brigade::testing::textOf(copy) == text);
  for (const brigade::HttpHeader& header : copy.headers()) {
    check(copy.header(header.name).has_value());
  }
}

// One head, with the length of its body or without: no more, no less.
void checkAnswer(const HttpRequest& request) {
  static Http codec(shared());
  static Output out;
  const std::size_t choice = request.target().size();
  constexpr unsigned kStatus[] = {200, 204, 304, 404, 599};
  const HttpResponse response = HttpResponse::text({}, kStatus[choice % 5]);
  const HttpReply reply{.response = response,
                        .framing = static_cast<HttpReply::Framing>(choice % 4),
                        .length = 3,
                        .headOnly = request.method() == "HEAD",
                        .keepAlive = request.keepAlive(),
                        .minorVersion = request.minorVersion(),
                        .date = "Sun, 06 Nov 1994 08:49:37 GMT"};
  codec.encode(Message::of(reply, "abc"), out);
  const std::string head = bytesOf(out);
  check(head.starts_with("HTTP/1.1 "));
  const std::size_t end = head.find("\r\n\r\n");
  check(end != std::string::npos);
  const std::string_view body = std::string_view(head).substr(end + 4);
  check(body.empty() || (body == "abc" && reply.hasBody()));
  codec.encode(Message::of(HttpPiece::kChunk, request.target()), out);
  codec.encode(Message::of(HttpPiece::kLastChunk, {}), out);
  check(bytesOf(out).ends_with("\r\n0\r\n\r\n"));
}

void checkRefusals(Http& codec) {
  static Output out;
  using brigade::Refusal;
  for (const Refusal refusal :
       {Refusal::kMalformed, Refusal::kTooLong, Refusal::kTimeout}) {
    codec.refuse(refusal, out);
    const std::string answer = bytesOf(out);
    check(answer.empty()
              ? refusal == Refusal::kTimeout
              : answer.starts_with("HTTP/1.1 ") &&
                    answer.find("Connection: close\r\n") != std::string::npos);
  }
}

// What the program does with what comes first.
void checkFirst(std::string_view stream) {
  using brigade::Packet;
  Http codec(shared());
  const Packet packet = codec.input(stream);
  if (packet.kind == Packet::Kind::kMalformed) checkRefusals(codec);
  if (packet.kind != Packet::Kind::kWhole) return;
  static std::string bytes;
  bytes = stream.substr(0, packet.length);
  const Message message = codec.decode(bytes);
  const HttpRequest& request = *message.as<HttpPart>().request;
  checkCopy(request, brigade::testing::textOf(request));
  checkAnswer(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  static const brigade::fuzz::CodecFuzz kFuzz{
      .make = [] { return std::make_unique<Http>(shared()); },
      .describe = [](const Message& m) { return brigade::testing::textOf(m); },
      .survives = {},
      .compare = brigade::fuzz::CodecFuzz::Compare::kBytes};
  if (size > 1) {
    checkFirst({reinterpret_cast<const char*>(data) + 1, size - 1});
  }
  return kFuzz.run(data, size);
}
