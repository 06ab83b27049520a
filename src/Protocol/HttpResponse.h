#pragma once

// HttpResponse: one answer of a program (RFC 9110, 15). A value: status, fields
// and body. A few short fields and a body of up to 15 bytes cost no heap
// memory:
//
//   HttpResponse{200}.set("Content-Type", "text/plain").body("Hello, World!")
//
// What frames the message on its connection (Content-Length, Transfer-Encoding,
// Connection) is the codec's: those names are refused here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace brigade {

// RFC 6265, 4.1. Strings of the caller.
struct HttpCookie {
  enum class SameSite : std::uint8_t { kNone, kLax, kStrict };

  std::string_view name;
  std::string_view value = {};
  std::string_view path = {};
  std::string_view domain = {};
  std::optional<std::int64_t> maxAge = std::nullopt;  // seconds; 0 deletes it
  std::optional<std::time_t> expires = std::nullopt;
  bool secure = false;
  bool httpOnly = false;
  std::optional<SameSite> sameSite = std::nullopt;
};

class HttpResponse {
 public:
  // Throws std::invalid_argument for a status that is not 100-599.
  explicit HttpResponse(unsigned status = 200);

  static HttpResponse text(std::string body, unsigned status = 200);
  static HttpResponse html(std::string body, unsigned status = 200);
  // `body` is a JSON text already.
  static HttpResponse json(std::string body, unsigned status = 200);
  static HttpResponse redirect(std::string_view location,
                               unsigned status = 302);
  // The server answers with that file, or 404; nothing is opened here.
  static HttpResponse file(std::string path);

  // Replaces the fields of that name, whatever its case. set() and add() throw
  // std::invalid_argument, which names the field, when the name is no token
  // (RFC 9110, 5.1) or is the codec's, or the value holds CR, LF, NUL or
  // another control character (5.5).
  HttpResponse& set(std::string_view name, std::string_view value) &;
  HttpResponse&& set(std::string_view name, std::string_view value) && {
    return std::move(set(name, value));
  }
  // Another field line of that name.
  HttpResponse& add(std::string_view name, std::string_view value) &;
  HttpResponse&& add(std::string_view name, std::string_view value) && {
    return std::move(add(name, value));
  }
  // Adds Set-Cookie. Throws std::invalid_argument, which names the cookie and
  // what is wrong with it (RFC 6265, 4.1.1).
  HttpResponse& cookie(const HttpCookie& cookie) &;
  HttpResponse&& cookie(const HttpCookie& cookie) && {
    return std::move(this->cookie(cookie));
  }
  HttpResponse& body(std::string body) &;
  HttpResponse&& body(std::string body) && {
    return std::move(this->body(std::move(body)));
  }
  // Not copied: it outlives the sending of this response.
  HttpResponse& bodyView(std::string_view body) &;
  HttpResponse&& bodyView(std::string_view body) && {
    return std::move(this->bodyView(body));
  }

  // The same status and fields, without a body.
  HttpResponse head() const;

  unsigned status() const { return status_; }
  void setStatus(unsigned status);  // throws as the constructor does
  std::string_view body() const { return owns_ ? owned_ : view_; }
  // The path given to file(); empty when there is none.
  const std::string& filePath() const { return filePath_; }
  // The first of that name; valid until the fields change.
  std::optional<std::string_view> header(std::string_view name) const;
  // All field lines as they are sent, each with its CRLF.
  std::string_view fields() const {
    return spilled_.empty() ? std::string_view(inline_.data(), inlineSize_)
                            : std::string_view(spilled_);
  }
  // Whether the program set Date itself.
  bool hasDate() const { return hasDate_; }

 private:
  // Content-Type, Cache-Control, ETag and a cookie fit, as a rule.
  static constexpr std::size_t kInline = 224;

  void append(std::string_view name, std::string_view value);
  void erase(std::string_view name);

  std::uint16_t status_;
  std::uint16_t inlineSize_ = 0;
  bool hasDate_ = false;
  bool owns_ = true;
  std::array<char, kInline> inline_;
  std::string spilled_;  // all fields, once they no longer fit
  std::string owned_;
  std::string_view view_;
  std::string filePath_;
};

// "Not Found"; empty for a status that is not registered.
std::string_view httpReason(unsigned status);

}  // namespace brigade
