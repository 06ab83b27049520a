#include "tests/support/HttpAnswer.h"

#include <gtest/gtest.h>
#include <strings.h>

#include <algorithm>
#include <charconv>

namespace brigade::test {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

bool sameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Up to and with `end`; nothing when the server closes before.
std::optional<std::string> takeUntil(Wire& wire, std::string_view end) {
  std::size_t at;
  while ((at = wire.received().find(end)) == std::string::npos) {
    if (!wire.receive()) return std::nullopt;
  }
  std::string taken = wire.received().substr(0, at + end.size());
  wire.received().erase(0, taken.size());
  return taken;
}

std::optional<std::string> take(Wire& wire, std::size_t size) {
  if (!wire.receiveAtLeast(size)) return std::nullopt;
  std::string taken = wire.received().substr(0, size);
  wire.received().erase(0, size);
  return taken;
}

std::string takeRest(Wire& wire) {
  while (wire.receive()) {
  }
  return std::exchange(wire.received(), {});
}

void checkHead(const std::string& head) {
  EXPECT_TRUE(head.starts_with("HTTP/1.1 ") && head.size() > 13 &&
              head[12] == ' ')
      << head;
  for (std::size_t i = 0; i < head.size(); ++i) {
    const bool partOfEnd =
        head[i] == '\r' ? head[i + 1] == '\n' : i > 0 && head[i - 1] == '\r';
    const auto c = static_cast<unsigned char>(head[i]);
    EXPECT_TRUE(c == '\r' || c == '\n' ? partOfEnd : c >= 0x20) << head;
  }
}

std::optional<std::string> takeChunks(Wire& wire) {
  std::string body;
  for (;;) {
    const auto line = takeUntil(wire, "\r\n");
    if (!line) return std::nullopt;
    std::size_t size = 0;
    const char* const end = line->data() + line->size() - 2;
    const auto read = std::from_chars(line->data(), end, size, 16);
    EXPECT_TRUE(read.ec == std::errc() && read.ptr == end) << *line;
    if (size == 0) {
      EXPECT_EQ(take(wire, 2), "\r\n");
      return body;
    }
    const auto data = take(wire, size + 2);
    if (!data) return std::nullopt;
    EXPECT_TRUE(data->ends_with("\r\n"));
    body.append(*data, 0, size);
  }
}

bool takeBody(Wire& wire, HttpAnswer& answer) {
  const auto length = answer.field("Content-Length");
  std::optional<std::string> body;
  if (answer.field("Transfer-Encoding")) {
    EXPECT_FALSE(length) << answer.head;
    body = takeChunks(wire);
  } else if (length) {
    body = take(wire, std::stoul(*length));
  } else {
    answer.untilClose = true;
    body = takeRest(wire);
  }
  if (body) answer.body = std::move(*body);
  return body.has_value();
}

}  // namespace

std::optional<std::string> HttpAnswer::field(std::string_view name) const {
  std::size_t at = head.find("\r\n") + 2;
  while (at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at);
    const std::size_t colon = head.find(':', at);
    if (sameName(std::string_view(head).substr(at, colon - at), name)) {
      return head.substr(colon + 2, end - colon - 2);
    }
    at = end + 2;
  }
  return std::nullopt;
}

std::optional<HttpAnswer> nextAnswer(Wire& wire, AnswerTo method) {
  auto head = takeUntil(wire, kEnd);
  if (!head) return std::nullopt;
  checkHead(*head);
  HttpAnswer answer;
  answer.status = std::atoi(head->c_str() + 9);
  answer.head = std::move(*head);
  const bool hasNone = answer.status < 200 || answer.status == 204 ||
                       answer.status == 304 || method == AnswerTo::kHead;
  if (answer.status >= 200) {
    EXPECT_TRUE(answer.field("Date")) << answer.head;
  }
  if (!hasNone && !takeBody(wire, answer)) return std::nullopt;
  return answer;
}

}  // namespace brigade::test
