#pragma once

// HttpAnswer: a response as a strict client reads it (RFC 9112): whatever a
// server may not send is a failure of the test.

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/Wire.h"

namespace brigade::test {

struct HttpAnswer {
  int status = 0;
  std::string head;  // with the status line, and every CRLF
  std::string body;  // without its chunked framing
  bool untilClose = false;

  // The value; nothing when there is no such field.
  std::optional<std::string> field(std::string_view name) const;
  bool closes() const { return field("Connection") == "close"; }
};

enum class AnswerTo { kHead, kOther };

// Takes the next response, an interim one included, out of what was received.
// Nothing when the server closes before it has said all of one.
std::optional<HttpAnswer> nextAnswer(Wire& wire,
                                     AnswerTo method = AnswerTo::kOther);

}  // namespace brigade::test
