// What HTTP costs without any socket: nanoseconds for the head of a request,
// and for a request decoded by the codec and answered.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "brigade/Protocol/Http.h"
#include "brigade/Protocol/Output.h"
#include "brigade/Protocol/detail/HttpParser.h"

namespace brigade {
namespace {

constexpr std::string_view kSmall =
    "GET /hello HTTP/1.1\r\nHost: localhost:8080\r\nA:\r\n\r\n";
static_assert(kSmall.size() == 49);

// What a browser sends, 14 fields.
constexpr std::string_view kBrowser =
    "GET /static/app/main.css?version=20240131 HTTP/1.1\r\n"
    "Host: www.example.org\r\n"
    "Connection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"120\", \"Not?A_Brand\";v=\"8\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, "
    "like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: text/css,*/*;q=0.1\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: no-cors\r\n"
    "Sec-Fetch-Dest: style\r\n"
    "Referer: https://www.example.org/static/index.html\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    "\r\n";

void parse(benchmark::State& state, std::string_view head) {
  const HttpLimits limits;
  HttpRequest request;
  for (auto _ : state) {
    detail::HttpParser::Resume resume;
    benchmark::DoNotOptimize(
        detail::HttpParser::parse(head, resume, limits, request));
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<std::int64_t>(head.size()));
}

// A batch of requests as one recv brings it, each answered with 13 bytes.
void answer(benchmark::State& state, std::string_view head) {
  HttpShared shared;
  Http codec(shared);
  std::string batch;
  for (std::int64_t i = 0; i < state.range(0); ++i) batch += head;
  Output out;
  for (auto _ : state) {
    std::span<char> input(batch);
    out.setInput(batch);
    while (!input.empty()) {
      const Packet packet = codec.input({input.data(), input.size()});
      if (packet.kind != Packet::Kind::kWhole) {
        state.SkipWithError("refused");
        return;
      }
      const Message message = codec.decode(input.first(packet.length));
      const HttpPart& part = message.as<HttpPart>();
      const HttpResponse response = HttpResponse{200}
                                        .set("Content-Type", "text/plain")
                                        .body("Hello, World!");
      const HttpReply reply{.response = response,
                            .keepAlive = part.request->keepAlive(),
                            .date = "Sun, 06 Nov 1994 08:49:37 GMT"};
      codec.encode(Message::of(reply, response.body()), out);
      input = input.subspan(packet.length);
    }
    benchmark::DoNotOptimize(out.pieces().data());
    out.clear();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK_CAPTURE(parse, small, kSmall);
BENCHMARK_CAPTURE(parse, browser, kBrowser);
BENCHMARK_CAPTURE(answer, small, kSmall)->Arg(1)->Arg(16);
BENCHMARK_CAPTURE(answer, browser, kBrowser)->Arg(1)->Arg(16);

}  // namespace
}  // namespace brigade
