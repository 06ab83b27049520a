#pragma once

// HttpDate: dates as HTTP writes and reads them (RFC 9110, 5.6.7). Pure: what
// time it is, the caller says. Seconds since 1970, UTC, without leap seconds.

#include <array>
#include <cstddef>
#include <ctime>
#include <optional>
#include <string_view>

namespace brigade {

inline constexpr std::size_t kHttpDateSize = 29;

// "Sun, 06 Nov 1994 08:49:37 GMT", no NUL behind it. Years 0000-9999; a time
// outside of them is clamped.
std::array<char, kHttpDateSize> formatHttpDate(std::time_t time);

// Reads IMF-fixdate and the two that are obsolete (of which the year 70-99 is
// 19xx, 00-69 is 20xx). None: it is no date, or one that does not exist; a day
// of the week that is not that day's is passed over.
std::optional<std::time_t> parseHttpDate(std::string_view text);

}  // namespace brigade
