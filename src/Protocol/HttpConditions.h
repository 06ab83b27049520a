#pragma once

// HttpConditions: whether who asks gets what it asks for, or has it already:
// the conditional requests of RFC 9110, 13, for GET and HEAD. Pure functions: a
// field that is malformed, or that was sent more than once and is no list,
// counts as not sent.

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string_view>

#include "brigade/Protocol/HttpRequest.h"

namespace brigade {

// What the server has.
struct HttpValidators {
  std::string_view etag;         // with its quotes
  std::time_t lastModified = 0;  // as it is sent, in seconds
  std::time_t now = 0;
};

enum class HttpPrecondition : std::uint8_t {
  kHolds,        // go on, with Range
  kNotModified,  // 304
  kFailed        // 412
};

// In the order of RFC 9110, 13.2.2, steps 1 to 4.
HttpPrecondition checkConditions(std::span<const HttpHeader> fields,
                                 const HttpValidators& validators);

// Step 5: the Range field, unless If-Range asks for all when what the server
// has is not what the client knows. For GET: no other method has ranges (14.2).
std::optional<std::string_view> rangeOf(std::span<const HttpHeader> fields,
                                        const HttpValidators& validators);

// Whether a field is there that one of the two above would look at.
bool hasConditions(std::span<const HttpHeader> fields);

}  // namespace brigade
