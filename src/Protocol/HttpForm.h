#pragma once

// HttpForm: what the texts of a request say: parameters, cookies, media types,
// entity tags, ranges, accepted encodings. Pure functions. Strict: what is
// malformed gives no result, and never half of one. Views are into the text.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brigade {

// RFC 3986, 2.1. None: an escape that is not '%' and two hexadecimal digits.
std::optional<std::string> percentDecode(std::string_view text);

// The parameters of a query, or of a body that is
// application/x-www-form-urlencoded (WHATWG URL, 5.1): '+' is a space. Names
// and values are bytes: nothing says that they are UTF-8.
class HttpForm {
 public:
  static constexpr std::size_t kMaxParameters = 1000;

  struct Parameter {
    std::string name;
    std::string value;
  };

  // None: a bad escape, or more than `maxParameters`.
  static std::optional<HttpForm> parse(
      std::string_view text, std::size_t maxParameters = kMaxParameters);

  // The first of that name.
  std::optional<std::string_view> first(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  // In the order in which they were sent.
  const std::vector<Parameter>& parameters() const { return parameters_; }

 private:
  std::vector<Parameter> parameters_;
};

// RFC 6265, 4.2: the first cookie of that name in a Cookie field, as sent.
// Pairs that are none are passed over, as 5.4 leaves to the server.
std::optional<std::string_view> findCookie(std::string_view field,
                                           std::string_view name);
std::vector<std::pair<std::string_view, std::string_view>> parseCookies(
    std::string_view field);

// RFC 9110, 8.3.1.
struct HttpMediaType {
  std::string type;  // "text/html", in lower case
  std::vector<std::pair<std::string, std::string>> parameters;

  // Whatever the case of the name.
  std::optional<std::string_view> parameter(std::string_view name) const;
};
std::optional<HttpMediaType> parseMediaType(std::string_view text);

// By the extension of a path, whatever its case; "application/octet-stream" for
// one that is not known. Text is UTF-8. Static text.
std::string_view contentTypeOf(std::string_view path);

// RFC 9110, 8.8.3.2: two tags of which one is weak are never strongly equal.
enum class ETagComparison : std::uint8_t { kWeak, kStrong };
// RFC 9110, 13.1: whether an If-None-Match (weak comparison) or an If-Match
// (strong) names `etag`, which is written with its quotes. "*" names all.
bool matchesETag(std::string_view field, std::string_view etag,
                 ETagComparison comparison = ETagComparison::kWeak);

struct HttpRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;  // at least 1

  bool operator==(const HttpRange&) const = default;
};

// RFC 9110, 14.1.2 and 14.2, for a representation of `size` bytes.
struct HttpRanges {
  enum class Kind : std::uint8_t {
    kIgnored,       // no byte ranges, malformed, or more than allowed: 200
    kSatisfiable,   // 206: in the order asked for, those that are within
    kUnsatisfiable  // 416
  };
  Kind kind = Kind::kIgnored;
  std::vector<HttpRange> ranges;
};
// More ranges than `maxRanges`, or together longer than the representation, are
// an attack rather than a wish (14.2): ignored.
HttpRanges parseRanges(std::string_view field, std::uint64_t size,
                       std::size_t maxRanges = 16);

// RFC 9110, 12.5.3: whether an Accept-Encoding field allows that coding with a
// weight above 0. Malformed elements are passed over.
bool acceptsEncoding(std::string_view field, std::string_view coding);

}  // namespace brigade
