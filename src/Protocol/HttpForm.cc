#include "brigade/Protocol/HttpForm.h"

#include <algorithm>
#include <array>
#include <limits>

#include "brigade/Protocol/detail/HttpParameters.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

using detail::isDigit;
using detail::nextElement;
using detail::sameName;

enum class Plus : bool { kIsPlus, kIsSpace };

bool decode(std::string_view text, Plus plus, std::string& decoded) {
  decoded.clear();
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '%') {
      if (text.size() - at < 3) return false;
      const int high = detail::hexValue(text[at + 1]);
      const int low = detail::hexValue(text[at + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high << 4 | low);
      at += 2;
    } else if (c == '+' && plus == Plus::kIsSpace) {
      c = ' ';
    }
    decoded += c;
  }
  return true;
}

// RFC 9110, 12.4.2, in thousandths; none when it is no weight.
std::optional<unsigned> weightOf(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') ||
      (text.size() > 1 && text[1] != '.')) {
    return std::nullopt;
  }
  auto weight = static_cast<unsigned>(text[0] - '0') * 1000;
  unsigned place = 100;
  for (const char c : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (!isDigit(c)) return std::nullopt;
    weight += static_cast<unsigned>(c - '0') * place;
    place /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

// "gzip;q=0.5"
std::optional<unsigned> weightOfElement(std::string_view parameters) {
  if (parameters.empty()) return 1000;
  const std::string_view parameter = detail::trimmed(parameters.substr(1));
  if (parameter.size() < 2 || !sameName(parameter.substr(0, 2), "q=")) {
    return std::nullopt;
  }
  return weightOf(parameter.substr(2));
}

// None: no digits, or none but them. What does not fit is the largest number.
std::optional<std::uint64_t> position(std::string_view text) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!isDigit(c)) return std::nullopt;
    const auto digit = static_cast<unsigned>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

struct ByteRange {
  bool valid = false;
  std::optional<HttpRange> range;  // none: outside of the representation
};

ByteRange parseRange(std::string_view text, std::uint64_t size) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = position(text.substr(0, dash));
  const auto last = position(text.substr(dash + 1));
  if (dash == 0) {
    if (!last) return {};
    const std::uint64_t length = std::min(*last, size);
    if (length == 0) return {true, std::nullopt};
    return {true, HttpRange{size - length, length}};
  }
  const bool open = dash + 1 == text.size();
  if (!first || (!open && (!last || *last < *first))) return {};
  if (*first >= size) return {true, std::nullopt};
  const std::uint64_t end = open ? size : std::min(*last, size - 1) + 1;
  return {true, HttpRange{*first, end - *first}};
}

struct EntityTag {
  std::string_view text;  // with its quotes, without what marks it weak
  bool isWeak;
};

// An entity tag at the start of `rest`.
std::optional<EntityTag> takeETag(std::string_view& rest) {
  const bool isWeak = rest.starts_with("W/");
  if (isWeak) rest.remove_prefix(2);
  if (!rest.starts_with('"')) return std::nullopt;
  const std::size_t end = rest.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  const EntityTag tag{rest.substr(0, end + 1), isWeak};
  rest.remove_prefix(end + 1);
  return tag;
}

bool areEqual(const EntityTag& a, const EntityTag& b,
              ETagComparison comparison) {
  const bool comparable =
      comparison == ETagComparison::kWeak || (!a.isWeak && !b.isWeak);
  return comparable && a.text == b.text;
}

struct Extension {
  std::string_view name;
  std::string_view type;
};

// In alphabetical order.
constexpr auto kTypes = std::to_array<Extension>({
    {"aac", "audio/aac"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"eot", "application/vnd.ms-fontobject"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"log", "text/plain; charset=utf-8"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
});

}  // namespace

std::optional<std::string> percentDecode(std::string_view text) {
  std::string decoded;
  if (!decode(text, Plus::kIsPlus, decoded)) return std::nullopt;
  return decoded;
}

std::optional<HttpForm> HttpForm::parse(std::string_view text,
                                        std::size_t maxParameters) {
  HttpForm form;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (form.parameters_.size() == maxParameters) return std::nullopt;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    Parameter& parameter = form.parameters_.emplace_back();
    if (!decode(pair.substr(0, equals), Plus::kIsSpace, parameter.name) ||
        !decode(pair.substr(std::min(equals + 1, pair.size())), Plus::kIsSpace,
                parameter.value)) {
      return std::nullopt;
    }
  }
  return form;
}

std::optional<std::string_view> HttpForm::first(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> HttpForm::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) values.push_back(parameter.value);
  }
  return values;
}

std::vector<std::pair<std::string_view, std::string_view>> parseCookies(
    std::string_view field) {
  std::vector<std::pair<std::string_view, std::string_view>> cookies;
  while (!field.empty()) {
    const std::string_view pair = nextElement(field, ';');
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    cookies.emplace_back(detail::trimmed(pair.substr(0, equals)),
                         detail::trimmed(pair.substr(equals + 1)));
  }
  return cookies;
}

std::optional<std::string_view> findCookie(std::string_view field,
                                           std::string_view name) {
  while (!field.empty()) {
    const std::string_view pair = nextElement(field, ';');
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    if (detail::trimmed(pair.substr(0, equals)) == name) {
      return detail::trimmed(pair.substr(equals + 1));
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> HttpMediaType::parameter(
    std::string_view name) const {
  for (const auto& [present, value] : parameters) {
    if (sameName(present, name)) return value;
  }
  return std::nullopt;
}

std::optional<HttpMediaType> parseMediaType(std::string_view text) {
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view type = detail::trimmed(text.substr(0, end));
  const std::size_t slash = type.find('/');
  if (slash == std::string_view::npos ||
      !detail::isToken(type.substr(0, slash)) ||
      !detail::isToken(type.substr(slash + 1))) {
    return std::nullopt;
  }
  HttpMediaType media;
  std::transform(type.begin(), type.end(), std::back_inserter(media.type),
                 detail::lower);
  detail::HttpParameters parameters(text.substr(end), detail::Quoting::kStrict);
  while (parameters.next()) {
    media.parameters.emplace_back(parameters.name(), parameters.value());
  }
  if (parameters.malformed()) return std::nullopt;
  return media;
}

std::string_view contentTypeOf(std::string_view path) {
  constexpr std::string_view kUnknown = "application/octet-stream";
  const std::size_t dot = path.rfind('.');
  const std::size_t slash = path.rfind('/');
  if (dot == std::string_view::npos ||
      (slash != std::string_view::npos && slash > dot)) {
    return kUnknown;
  }
  const std::string_view name = path.substr(dot + 1);
  const auto found = std::find_if(
      kTypes.begin(), kTypes.end(),
      [&](const Extension& known) { return sameName(known.name, name); });
  return found == kTypes.end() ? kUnknown : found->type;
}

bool matchesETag(std::string_view field, std::string_view etag,
                 ETagComparison comparison) {
  if (detail::trimmed(field) == "*") return true;
  const auto wanted = takeETag(etag);
  if (!wanted) return false;
  while (!field.empty()) {
    field = detail::trimmed(field);
    if (field.starts_with(',')) {
      field.remove_prefix(1);
      continue;
    }
    if (field.empty()) return false;
    const auto tag = takeETag(field);
    if (!tag) return false;
    if (areEqual(*tag, *wanted, comparison)) return true;
  }
  return false;
}

HttpRanges parseRanges(std::string_view field, std::uint64_t size,
                       std::size_t maxRanges) {
  constexpr std::string_view kUnit = "bytes=";
  HttpRanges result;
  if (!sameName(field.substr(0, kUnit.size()), kUnit)) return result;
  field.remove_prefix(kUnit.size());
  std::size_t count = 0;
  std::uint64_t total = 0;
  do {
    const ByteRange range = parseRange(nextElement(field, ','), size);
    if (!range.valid || ++count > maxRanges) return {};
    if (!range.range) continue;
    if (range.range->length > size - total) return {};
    total += range.range->length;
    result.ranges.push_back(*range.range);
  } while (!field.empty());
  result.kind = result.ranges.empty() ? HttpRanges::Kind::kUnsatisfiable
                                      : HttpRanges::Kind::kSatisfiable;
  return result;
}

bool acceptsEncoding(std::string_view field, std::string_view coding) {
  bool any = false;
  while (!field.empty()) {
    const std::string_view element = nextElement(field, ',');
    const std::size_t end = std::min(element.find(';'), element.size());
    const std::string_view name = detail::trimmed(element.substr(0, end));
    const auto weight = weightOfElement(element.substr(end));
    if (!weight) continue;
    // RFC 9110, 8.4.1.3: x-gzip is gzip.
    if (sameName(name, coding) ||
        (sameName(coding, "gzip") && sameName(name, "x-gzip"))) {
      return *weight > 0;
    }
    if (name == "*") any = *weight > 0;
  }
  return any;
}

}  // namespace brigade
