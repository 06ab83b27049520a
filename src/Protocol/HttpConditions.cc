#include "brigade/Protocol/HttpConditions.h"

#include <algorithm>

#include "brigade/Protocol/HttpDate.h"
#include "brigade/Protocol/HttpForm.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

using Fields = std::span<const HttpHeader>;

bool has(Fields fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [&](const HttpHeader& h) {
    return detail::sameName(h.name, name);
  });
}

// None when it was sent more than once as well.
std::optional<std::string_view> only(Fields fields, std::string_view name) {
  std::optional<std::string_view> value;
  for (const HttpHeader& field : fields) {
    if (!detail::sameName(field.name, name)) continue;
    if (value) return std::nullopt;
    value = field.value;
  }
  return value;
}

std::optional<std::time_t> dateIn(Fields fields, std::string_view name) {
  const auto value = only(fields, name);
  return value ? parseHttpDate(*value) : std::nullopt;
}

// RFC 9110, 5.3: the lines of a list are one list.
bool names(Fields fields, std::string_view name, std::string_view etag,
           ETagComparison comparison) {
  return std::any_of(fields.begin(), fields.end(), [&](const HttpHeader& h) {
    return detail::sameName(h.name, name) &&
           matchesETag(h.value, etag, comparison);
  });
}

// RFC 9110, 13.1.5. A date is a strong validator only when the representation
// cannot have changed again in the same second (8.8.2.2).
bool isSame(std::string_view ifRange, const HttpValidators& validators) {
  const auto date = parseHttpDate(ifRange);
  if (!date) {
    // One tag, and "*" is none.
    return ifRange.starts_with('"') && ifRange == validators.etag;
  }
  return *date == validators.lastModified && *date < validators.now;
}

}  // namespace

HttpPrecondition checkConditions(Fields fields,
                                 const HttpValidators& validators) {
  const std::time_t modified = validators.lastModified;
  if (has(fields, "If-Match")) {
    if (!names(fields, "If-Match", validators.etag, ETagComparison::kStrong)) {
      return HttpPrecondition::kFailed;
    }
  } else if (const auto since = dateIn(fields, "If-Unmodified-Since")) {
    if (modified > *since) return HttpPrecondition::kFailed;
  }
  if (has(fields, "If-None-Match")) {
    if (names(fields, "If-None-Match", validators.etag,
              ETagComparison::kWeak)) {
      return HttpPrecondition::kNotModified;
    }
  } else if (const auto since = dateIn(fields, "If-Modified-Since")) {
    if (modified <= *since) return HttpPrecondition::kNotModified;
  }
  return HttpPrecondition::kHolds;
}

std::optional<std::string_view> rangeOf(Fields fields,
                                        const HttpValidators& validators) {
  if (has(fields, "If-Range")) {
    const auto condition = only(fields, "If-Range");
    if (!condition || !isSame(*condition, validators)) return std::nullopt;
  }
  return only(fields, "Range");
}

bool hasConditions(Fields fields) {
  return std::any_of(fields.begin(), fields.end(), [](const HttpHeader& h) {
    return detail::sameName(h.name, "Range") ||
           detail::sameName(h.name.substr(0, 3), "If-");
  });
}

}  // namespace brigade
