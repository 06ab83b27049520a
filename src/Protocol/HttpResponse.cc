#include "brigade/Protocol/HttpResponse.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "brigade/Protocol/HttpDate.h"
#include "brigade/Protocol/detail/HttpScan.h"
#include "brigade/Protocol/detail/HttpStatus.h"
#include "brigade/Protocol/detail/HttpSyntax.h"

namespace brigade {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("HttpResponse: " + what);
}

std::uint16_t checkedStatus(unsigned status) {
  if (status < detail::kFirstStatus || status > detail::kLastStatus) {
    refuse("status " + std::to_string(status) + " is not 100-599");
  }
  return static_cast<std::uint16_t>(status);
}

bool framesMessage(std::string_view name) {
  return detail::sameName(name, "Content-Length") ||
         detail::sameName(name, "Transfer-Encoding") ||
         detail::sameName(name, "Connection");
}

// Where the first byte is that is such an end, or the size.
template <typename End>
std::size_t findEnd(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  return static_cast<std::size_t>(detail::findEnd<End>(begin, begin, end) -
                                  begin);
}

bool isFieldName(std::string_view name) {
  const bool plain = findEnd<detail::EndOfPlainName>(name) == name.size();
  return plain ? !name.empty() : detail::isToken(name);
}

void checkField(std::string_view name, std::string_view value) {
  if (!isFieldName(name)) {
    refuse("'" + std::string(name) + "' is no field name");
  }
  if (framesMessage(name)) {
    refuse("the field " + std::string(name) + " is written by the server");
  }
  if (findEnd<detail::EndOfValue>(value) != value.size()) {
    refuse("a control character in the field " + std::string(name));
  }
}

// RFC 6265, 4.1.1: cookie-octet.
bool isCookieByte(char c) {
  return c > 0x20 && c < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
}

bool isCookieValue(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return std::all_of(value.begin(), value.end(), isCookieByte);
}

// RFC 6265, 4.1.1: any CHAR except CTLs or ";".
bool isAttribute(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c < 0x7F && c != ';'; });
}

void checkCookie(const HttpCookie& cookie) {
  const std::string name(cookie.name);
  if (!detail::isToken(name)) refuse("'" + name + "' is no cookie name");
  if (!isCookieValue(cookie.value)) {
    refuse("a byte no cookie may hold in the value of " + name);
  }
  if (!isAttribute(cookie.path)) refuse("the path of cookie " + name);
  if (!isAttribute(cookie.domain)) refuse("the domain of cookie " + name);
}

void addAttribute(std::string& line, std::string_view name,
                  std::string_view value) {
  if (value.empty()) return;
  line.append("; ").append(name).append("=").append(value);
}

std::string_view nameOf(HttpCookie::SameSite sameSite) {
  switch (sameSite) {
    case HttpCookie::SameSite::kNone:
      return "None";
    case HttpCookie::SameSite::kLax:
      return "Lax";
    case HttpCookie::SameSite::kStrict:
      return "Strict";
  }
  return "";
}

// Calls `take` with each line of `fields`, CRLF included, until it is true.
template <typename Take>
void eachLine(std::string_view fields, Take take) {
  while (!fields.empty()) {
    const std::size_t size = fields.find('\n') + 1;
    if (take(fields.substr(0, size))) return;
    fields.remove_prefix(size);
  }
}

bool isLineOf(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         detail::sameName(line.substr(0, name.size()), name);
}

}  // namespace

HttpResponse::HttpResponse(unsigned status) : status_(checkedStatus(status)) {}

void HttpResponse::setStatus(unsigned status) {
  status_ = checkedStatus(status);
}

HttpResponse HttpResponse::text(std::string body, unsigned status) {
  return HttpResponse(status)
      .add("Content-Type", "text/plain; charset=utf-8")
      .body(std::move(body));
}

HttpResponse HttpResponse::html(std::string body, unsigned status) {
  return HttpResponse(status)
      .add("Content-Type", "text/html; charset=utf-8")
      .body(std::move(body));
}

HttpResponse HttpResponse::json(std::string body, unsigned status) {
  return HttpResponse(status)
      .add("Content-Type", "application/json")
      .body(std::move(body));
}

HttpResponse HttpResponse::redirect(std::string_view location,
                                    unsigned status) {
  return HttpResponse(status).add("Location", location);
}

HttpResponse HttpResponse::file(std::string path) {
  HttpResponse response;
  response.filePath_ = std::move(path);
  return response;
}

HttpResponse HttpResponse::head() const {
  HttpResponse head(status_);
  std::copy_n(inline_.begin(), inlineSize_, head.inline_.begin());
  head.inlineSize_ = inlineSize_;
  head.spilled_ = spilled_;
  head.hasDate_ = hasDate_;
  return head;
}

HttpResponse& HttpResponse::set(std::string_view name,
                                std::string_view value) & {
  checkField(name, value);
  // Either may be a view of a field that is about to go.
  const std::string_view fields = this->fields();
  bool present = false;
  eachLine(fields, [&](std::string_view line) {
    return present = isLineOf(line, name);
  });
  if (!present) {
    append(name, value);
    return *this;
  }
  const std::string ownName(name);
  const std::string ownValue(value);
  erase(ownName);
  append(ownName, ownValue);
  return *this;
}

HttpResponse& HttpResponse::add(std::string_view name,
                                std::string_view value) & {
  checkField(name, value);
  append(name, value);
  return *this;
}

void HttpResponse::append(std::string_view name, std::string_view value) {
  const std::size_t size = name.size() + value.size() + 4;
  if (!spilled_.empty() || size > kInline - inlineSize_) {
    std::string line;
    line.reserve(size);
    line.append(name).append(": ").append(value).append("\r\n");
    if (spilled_.empty()) spilled_.assign(inline_.data(), inlineSize_);
    spilled_ += line;
  } else {
    char* at = inline_.data() + inlineSize_;
    at = std::copy(name.begin(), name.end(), at);
    *at++ = ':';
    *at++ = ' ';
    at = std::copy(value.begin(), value.end(), at);
    *at++ = '\r';
    *at++ = '\n';
    inlineSize_ = static_cast<std::uint16_t>(at - inline_.data());
  }
  if (detail::sameName(name, "Date")) hasDate_ = true;
}

void HttpResponse::erase(std::string_view name) {
  std::string kept;
  eachLine(fields(), [&](std::string_view line) {
    if (!isLineOf(line, name)) kept += line;
    return false;
  });
  inlineSize_ = 0;
  spilled_.clear();
  if (kept.size() > kInline) {
    spilled_ = std::move(kept);
  } else {
    std::copy(kept.begin(), kept.end(), inline_.begin());
    inlineSize_ = static_cast<std::uint16_t>(kept.size());
  }
}

HttpResponse& HttpResponse::cookie(const HttpCookie& cookie) & {
  checkCookie(cookie);
  std::string line(cookie.name);
  line.append("=").append(cookie.value);
  addAttribute(line, "Path", cookie.path);
  addAttribute(line, "Domain", cookie.domain);
  if (cookie.maxAge) {
    addAttribute(line, "Max-Age", std::to_string(*cookie.maxAge));
  }
  if (cookie.expires) {
    const auto date = formatHttpDate(*cookie.expires);
    addAttribute(line, "Expires", {date.data(), date.size()});
  }
  if (cookie.secure) line += "; Secure";
  if (cookie.httpOnly) line += "; HttpOnly";
  if (cookie.sameSite) addAttribute(line, "SameSite", nameOf(*cookie.sameSite));
  return add("Set-Cookie", line);
}

HttpResponse& HttpResponse::body(std::string body) & {
  owned_ = std::move(body);
  owns_ = true;
  return *this;
}

HttpResponse& HttpResponse::bodyView(std::string_view body) & {
  owned_.clear();
  view_ = body;
  owns_ = false;
  return *this;
}

std::optional<std::string_view> HttpResponse::header(
    std::string_view name) const {
  std::optional<std::string_view> value;
  eachLine(fields(), [&](std::string_view line) {
    if (!isLineOf(line, name)) return false;
    line.remove_prefix(name.size() + 2);
    line.remove_suffix(2);
    value = line;
    return true;
  });
  return value;
}

std::string_view httpReason(unsigned status) {
  std::string_view line = detail::statusLine(status);
  if (line.empty()) return line;
  line.remove_prefix(std::strlen("HTTP/1.1 200 "));
  line.remove_suffix(2);
  return line;
}

}  // namespace brigade
