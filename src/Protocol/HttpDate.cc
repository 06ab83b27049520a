#include "brigade/Protocol/HttpDate.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::int64_t kDaySeconds = 86400;

constexpr std::array<std::string_view, 7> kLongDays = {
    "Sunday",   "Monday", "Tuesday", "Wednesday",
    "Thursday", "Friday", "Saturday"};

void put(char* at, std::string_view text) {
  std::copy_n(text.data(), text.size(), at);
}

void putNumber(char* at, int digits, unsigned value) {
  for (int i = digits - 1; i >= 0; --i) {
    at[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

// Takes apart a date; one step that fails fails all.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  bool number(std::size_t digits, unsigned& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (!detail::isDigit(c)) return false;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }

  // Of names of three letters each; `value` counts from 1.
  bool name(std::string_view names, unsigned& value) {
    for (std::size_t i = 0; 3 * i < names.size(); ++i) {
      if (!literal(names.substr(3 * i, 3))) continue;
      value = static_cast<unsigned>(i) + 1;
      return true;
    }
    return false;
  }

  bool longDay() {
    return std::any_of(kLongDays.begin(), kLongDays.end(),
                       [this](std::string_view name) { return literal(name); });
  }

  bool clock(unsigned& seconds) {
    unsigned h = 0;
    unsigned m = 0;
    unsigned s = 0;
    // A leap second is the last of its minute here.
    if (!number(2, h) || !literal(":") || !number(2, m) || !literal(":") ||
        !number(2, s) || h > 23 || m > 59 || s > 60) {
      return false;
    }
    seconds = h * 3600 + m * 60 + std::min(s, 59U);
    return true;
  }

  bool over() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

struct Parts {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned seconds = 0;
};

bool readFixdate(Reader in, Parts& parts) {
  unsigned weekday = 0;
  return in.name(kDays, weekday) && in.literal(", ") &&
         in.number(2, parts.day) && in.literal(" ") &&
         in.name(kMonths, parts.month) && in.literal(" ") &&
         in.number(4, parts.year) && in.literal(" ") &&
         in.clock(parts.seconds) && in.literal(" GMT") && in.over();
}

bool readRfc850(Reader in, Parts& parts) {
  if (!(in.longDay() && in.literal(", ") && in.number(2, parts.day) &&
        in.literal("-") && in.name(kMonths, parts.month) && in.literal("-") &&
        in.number(2, parts.year) && in.literal(" ") &&
        in.clock(parts.seconds) && in.literal(" GMT") && in.over())) {
    return false;
  }
  parts.year += parts.year < 70 ? 2000 : 1900;
  return true;
}

bool readAsctime(Reader in, Parts& parts) {
  unsigned weekday = 0;
  return in.name(kDays, weekday) && in.literal(" ") &&
         in.name(kMonths, parts.month) && in.literal(" ") &&
         (in.literal(" ") ? in.number(1, parts.day)
                          : in.number(2, parts.day)) &&
         in.literal(" ") && in.clock(parts.seconds) && in.literal(" ") &&
         in.number(4, parts.year) && in.over();
}

}  // namespace

std::array<char, kHttpDateSize> formatHttpDate(std::time_t time) {
  constexpr sys_days kFirst{year_month_day{year{0}, month{1}, day{1}}};
  constexpr sys_days kLast{year_month_day{year{9999}, month{12}, day{31}}};
  constexpr std::int64_t kMin = kFirst.time_since_epoch().count() * kDaySeconds;
  constexpr std::int64_t kMax =
      (kLast.time_since_epoch().count() + 1) * kDaySeconds - 1;
  const std::int64_t seconds = std::clamp<std::int64_t>(time, kMin, kMax);
  std::int64_t whole = seconds / kDaySeconds;
  if (whole * kDaySeconds > seconds) --whole;
  const auto second = static_cast<unsigned>(seconds - whole * kDaySeconds);
  const sys_days date{days{whole}};
  const year_month_day civil{date};
  std::array<char, kHttpDateSize> text;
  put(text.data(), "Sun, 06 Nov 1994 08:49:37 GMT");
  put(text.data(), kDays.substr(3 * weekday{date}.c_encoding(), 3));
  putNumber(text.data() + 5, 2, static_cast<unsigned>(civil.day()));
  put(text.data() + 8,
      kMonths.substr(3 * (static_cast<unsigned>(civil.month()) - 1), 3));
  putNumber(text.data() + 12, 4,
            static_cast<unsigned>(static_cast<int>(civil.year())));
  putNumber(text.data() + 17, 2, second / 3600);
  putNumber(text.data() + 20, 2, second / 60 % 60);
  putNumber(text.data() + 23, 2, second % 60);
  return text;
}

std::optional<std::time_t> parseHttpDate(std::string_view text) {
  Parts parts;
  const Reader reader(text);
  if (!readFixdate(reader, parts) && !readRfc850(reader, parts) &&
      !readAsctime(reader, parts)) {
    return std::nullopt;
  }
  const year_month_day civil{year{static_cast<int>(parts.year)},
                             month{parts.month}, day{parts.day}};
  if (!civil.ok()) return std::nullopt;
  return sys_days{civil}.time_since_epoch().count() * kDaySeconds +
         parts.seconds;
}

}  // namespace brigade
